-module(sigabrt).
-export([main/1]).

main(_) ->
    erlang:halt(abort).
