-module(out_of_memory).
-export([main/1]).

main(_) ->
    binary:copy(<<"x">>, 1 bsl 45).
