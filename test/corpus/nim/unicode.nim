import std/unicode

echo "Ahoj, světe ✓"
for line in stdin.lines:
  echo line.runeLen, " ", line.reversed
