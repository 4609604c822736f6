-module(compile_error).
-export([main/1]).

main(_) ->
    io:format("~b berths~n", [Harbour]).
