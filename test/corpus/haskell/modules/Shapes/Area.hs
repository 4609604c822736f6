module Shapes.Area (Shape (..), area) where

data Shape = Square Double | Circle Double

area :: Shape -> Double
area (Square side) = side * side
area (Circle radius) = pi * radius * radius
