:- initialization(main, main).
:- use_module(shapes).

main :-
    forall(member(Shape, [square(3), circle(2)]), report(Shape)).

report(Shape) :-
    area(Shape, Area),
    functor(Shape, Name, _),
    format("~w: ~2f~n", [Name, Area]).
