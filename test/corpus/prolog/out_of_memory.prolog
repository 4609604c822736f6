:- initialization(main, main).

main :-
    set_prolog_flag(stack_limit, 100_000_000),
    numlist(1, 100_000_000, Kept),
    sum_list(Kept, Sum),
    writeln(Sum).
