identification division.
program-id. primes.
data division.
working-storage section.
01 sieve.
  05 composite pic 9 occurs 5000 times value 0.
01 i pic 9(9) binary.
01 j pic 9(9) binary.
01 first-one pic 9(9) binary.
01 how-many pic 9(4) value 0.
01 last-one pic 9(4).
01 shown pic z(3)9.
procedure division.
  perform varying i from 2 by 1 until i > 5000
    if composite(i) = 0
      add 1 to how-many
      move i to last-one
      compute first-one = i * i
      perform varying j from first-one by i until j > 5000
        move 1 to composite(j)
      end-perform
    end-if
  end-perform.
  move how-many to shown.
  display function trim(shown) " primes up to 5000, the last is " last-one.
  stop run.
