package Shapes is
   function Square (Side : Float) return Float;
   function Circle (Radius : Float) return Float;
end Shapes;
