with Ada.Text_IO; use Ada.Text_IO;
with Shapes;

procedure Main is
   package Float_IO is new Ada.Text_IO.Float_IO (Float);

   procedure Report (Name : String; Area : Float) is
   begin
      Put (Name & ": ");
      Float_IO.Put (Area, Fore => 1, Aft => 2, Exp => 0);
      New_Line;
   end Report;
begin
   Report ("square", Shapes.Square (3.0));
   Report ("circle", Shapes.Circle (2.0));
end Main;
