import std/strformat
import shapes/[circle, square]

echo &"square: {squareArea(3):.2f}"
echo &"circle: {circleArea(2):.2f}"
