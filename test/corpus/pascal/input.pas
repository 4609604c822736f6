program Input;

uses
  Math;

var
  Count, I: Integer;
  Number, Sum, Largest: Int64;

begin
  ReadLn(Count);
  Sum := 0;
  Largest := Low(Int64);
  for I := 1 to Count do
  begin
    Read(Number);
    Sum := Sum + Number;
    Largest := Max(Largest, Number);
  end;
  WriteLn('sum: ', Sum);
  WriteLn('largest: ', Largest);
  WriteLn('mean: ', Sum / Count:0:2);
end.
