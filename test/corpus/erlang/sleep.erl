-module(sleep).
-export([main/1]).

main(_) ->
    timer:sleep(60000).
