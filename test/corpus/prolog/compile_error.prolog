:- initialization(main, main).

main :-
    writeln("berths: "),
    writeln(12.
