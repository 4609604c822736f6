unit Shapes;

interface

function Square(Side: Double): Double;
function Circle(Radius: Double): Double;

implementation

function Square(Side: Double): Double;
begin
  Square := Side * Side;
end;

function Circle(Radius: Double): Double;
begin
  Circle := Pi * Radius * Radius;
end;

end.
