:- initialization(main, main).

main :- sleep(60).
