import std/strutils

var kept: seq[string]
while true: kept.add 'x'.repeat(1 shl 20)
