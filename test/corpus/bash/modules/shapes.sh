# Areas in hundredths, since the shell counts in whole numbers.
hundredths() { printf '%d.%02d' $(($1 / 100)) $(($1 % 100)); }
square() { hundredths $((100 * $1 * $1)); }
circle() { hundredths $(((314159265 * $1 * $1 + 500000) / 1000000)); }
