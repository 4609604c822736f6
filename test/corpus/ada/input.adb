with Ada.Text_IO; use Ada.Text_IO;

procedure Input is
   package Integer_IO is new Ada.Text_IO.Integer_IO (Integer);
   package Float_IO is new Ada.Text_IO.Float_IO (Float);

   Count, Number : Integer;
   Sum           : Integer := 0;
   Largest       : Integer := Integer'First;
begin
   Integer_IO.Get (Count);
   for I in 1 .. Count loop
      Integer_IO.Get (Number);
      Sum     := Sum + Number;
      Largest := Integer'Max (Largest, Number);
   end loop;
   Put_Line ("sum:" & Sum'Image);
   Put_Line ("largest:" & Largest'Image);
   Put ("mean: ");
   Float_IO.Put (Float (Sum) / Float (Count), Fore => 1, Aft => 2, Exp => 0);
   New_Line;
end Input;
