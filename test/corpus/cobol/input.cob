identification division.
program-id. sums.
data division.
working-storage section.
01 line-text pic x(200).
01 word pic x(20).
01 at-position pic 9(4) binary.
01 how-many pic s9(9) binary.
01 found pic s9(9) binary value 0.
01 number-read pic s9(9) binary.
01 total pic s9(9) binary value 0.
01 largest pic s9(9) binary value -999999999.
01 shown pic -(8)9.
01 mean pic -(6)9.99.
procedure division.
  accept line-text.
  compute how-many = function numval(line-text).
  perform until found >= how-many
    accept line-text
    move 1 to at-position
    perform until at-position > function length(function trim(line-text trailing))
      unstring line-text delimited by all space into word with pointer at-position
      compute number-read = function numval(word)
      add number-read to total
      if number-read > largest move number-read to largest end-if
      add 1 to found
    end-perform
  end-perform.
  move total to shown.
  display "sum: " function trim(shown).
  move largest to shown.
  display "largest: " function trim(shown).
  compute mean rounded = total / how-many.
  display "mean: " function trim(mean).
  stop run.
