identification division.
program-id. fails.
procedure division.
  display "before".
  call "harbour".
  stop run.
