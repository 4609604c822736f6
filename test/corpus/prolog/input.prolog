:- initialization(main, main).

main :-
    read_string(user_input, _, Text),
    split_string(Text, " \n", " \n", Words),
    maplist(number_string, [Count|Rest], Words),
    length(Numbers, Count),
    append(Numbers, _, Rest),
    sum_list(Numbers, Sum),
    max_list(Numbers, Largest),
    Mean is Sum / Count,
    format("sum: ~d~nlargest: ~d~nmean: ~2f~n", [Sum, Largest, Mean]).
