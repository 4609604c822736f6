:- module(shapes, [area/2]).

area(square(Side), Area) :- Area is Side ** 2.
area(circle(Radius), Area) :- Area is pi * Radius ** 2.
