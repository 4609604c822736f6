program Unicode;

{$mode objfpc}{$H+}

var
  Line, Reversed: UnicodeString;
  Bytes: string;
  I: Integer;

begin
  WriteLn('Ahoj, světe ✓');
  while not Eof do
  begin
    ReadLn(Bytes);
    Line := UTF8Decode(Bytes);
    Reversed := '';
    for I := Length(Line) downto 1 do
      Reversed := Reversed + Line[I];
    WriteLn(Length(Line), ' ', UTF8Encode(Reversed));
  end;
end.
