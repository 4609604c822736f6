-module(flood).
-export([main/1]).

main(Arguments) ->
    io:put_chars("harbour\n"),
    main(Arguments).
