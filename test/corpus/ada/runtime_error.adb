with Ada.Text_IO;

procedure Runtime_Error is
   Harbour_Is_Closed : exception;
begin
   Ada.Text_IO.Put_Line ("before");
   raise Harbour_Is_Closed;
end Runtime_Error;
