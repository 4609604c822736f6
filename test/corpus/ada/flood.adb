with Ada.Text_IO;

procedure Flood is
begin
   loop
      Ada.Text_IO.Put_Line ("harbour");
   end loop;
end Flood;
