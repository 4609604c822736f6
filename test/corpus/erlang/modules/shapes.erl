-module(shapes).
-export([area/1]).

area({square, Side}) -> math:pow(Side, 2);
area({circle, Radius}) -> math:pi() * math:pow(Radius, 2).
