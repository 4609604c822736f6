program Hog;

type
  PBlock = ^TBlock;
  TBlock = record
    Bytes: array[1..1048576] of Byte;
    Next: PBlock;
  end;

var
  Kept, Newest: PBlock;

begin
  Kept := nil;
  while true do
  begin
    New(Newest);
    FillChar(Newest^.Bytes, SizeOf(Newest^.Bytes), 1);
    Newest^.Next := Kept;
    Kept := Newest;
  end;
end.
