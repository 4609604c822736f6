-module(hog).
-export([main/1]).

main(Kept) ->
    main([binary:copy(<<"x">>, 1 bsl 20) | Kept]).
