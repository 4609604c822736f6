:- initialization(main, main).

main :-
    writeln('Ahoj, světe ✓'),
    read_string(user_input, _, Text),
    split_string(Text, "\n", "\n", Lines),
    forall(member(Line, Lines), describe(Line)).

describe(Line) :-
    string_chars(Line, Characters),
    length(Characters, Length),
    reverse(Characters, Reversed),
    format("~d ~s~n", [Length, Reversed]).
