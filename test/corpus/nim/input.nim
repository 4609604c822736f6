import std/[sequtils, strformat, strutils]

let
  words = stdin.readAll.splitWhitespace.map(parseInt)
  count = words[0]
  numbers = words[1 .. count]
  sum = numbers.foldl(a + b)

echo &"sum: {sum}"
echo &"largest: {numbers.max}"
echo &"mean: {sum / count:.2f}"
