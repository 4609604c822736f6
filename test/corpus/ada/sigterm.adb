with Interfaces.C;

procedure Sigterm is
   use Interfaces.C;
   function Raise_Signal (Signal : int) return int with Import, Convention => C, External_Name => "raise";

   Done : int := Raise_Signal (15);
begin
   null;
end Sigterm;
