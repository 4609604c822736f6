-module(spin).
-export([main/1]).

main(Arguments) -> main(Arguments).
