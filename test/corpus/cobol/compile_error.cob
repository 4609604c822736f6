identification division.
program-id. broken.
procedure division.
  display harbour.
  stop run.
