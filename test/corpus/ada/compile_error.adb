with Ada.Text_IO;

procedure Compile_Error is
begin
   Ada.Text_IO.Put_Line (Harbour);
end Compile_Error;
