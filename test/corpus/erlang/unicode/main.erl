-module(main).
-export([main/1]).

main(_) ->
    io:setopts([{encoding, unicode}]),
    io:format("~ts~n", ["Ahoj, světe ✓"]),
    describe(io:get_line("")).

describe(eof) ->
    ok;
describe(Line) ->
    Characters = string:trim(Line),
    io:format("~b ~ts~n", [string:length(Characters), string:reverse(Characters)]),
    describe(io:get_line("")).
