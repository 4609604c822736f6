program OutOfMemory;

var
  Kept: Pointer;

begin
  GetMem(Kept, Int64(1) shl 45);
end.
