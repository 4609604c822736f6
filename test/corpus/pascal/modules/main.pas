program Main;

uses
  Shapes;

begin
  WriteLn('square: ', Square(3):0:2);
  WriteLn('circle: ', Circle(2):0:2);
end.
