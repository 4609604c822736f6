identification division.
program-id. hog.
data division.
working-storage section.
01 piece usage pointer.
linkage section.
01 content pic x(1048576).
procedure division.
  perform forever
    allocate 1048576 characters returning piece
    set address of content to piece
    move all "x" to content
  end-perform.
