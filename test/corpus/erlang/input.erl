-module(input).
-export([main/1]).

main(_) ->
    {ok, [Count]} = io:fread("", "~d"),
    Numbers = [number() || _ <- lists:seq(1, Count)],
    Sum = lists:sum(Numbers),
    io:format("sum: ~b~nlargest: ~b~nmean: ~.2f~n", [Sum, lists:max(Numbers), Sum / Count]).

number() ->
    {ok, [Number]} = io:fread("", "~d"),
    Number.
