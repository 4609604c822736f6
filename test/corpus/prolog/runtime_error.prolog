:- initialization(main, main).

main :-
    writeln(before),
    existence_error(harbour, kiel).
