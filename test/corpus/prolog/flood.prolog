:- initialization(main, main).

main :- repeat, writeln(harbour), fail.
