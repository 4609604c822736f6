-module(main).
-export([main/1]).

main(_) ->
    [io:format("~s: ~.2f~n", [Name, shapes:area(Shape)]) || {Name, _} = Shape <- [{square, 3}, {circle, 2}]].
