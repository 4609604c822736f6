:- initialization(main, main).
:- dynamic kept/1.

main :-
    numlist(1, 100_000, Numbers),
    repeat,
    assertz(kept(Numbers)),
    fail.
