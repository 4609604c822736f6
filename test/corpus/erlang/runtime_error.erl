-module(runtime_error).
-export([main/1]).

main(_) ->
    io:format("before~n"),
    error(harbour_is_closed).
