with Ada.Numerics;

package body Shapes is
   function Square (Side : Float) return Float is (Side ** 2);

   function Circle (Radius : Float) return Float is
     (Ada.Numerics.Pi * Radius ** 2);
end Shapes;
