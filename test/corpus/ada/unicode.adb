with Ada.Strings.UTF_Encoding.Wide_Wide_Strings;
use Ada.Strings.UTF_Encoding.Wide_Wide_Strings;
with Ada.Text_IO; use Ada.Text_IO;

procedure Unicode is
begin
   Put_Line ("Ahoj, světe ✓");
   while not End_Of_File loop
      declare
         Line     : constant Wide_Wide_String := Decode (Get_Line);
         Reversed : Wide_Wide_String (1 .. Line'Length);
         Count    : constant String := Line'Length'Image;
      begin
         for I in Reversed'Range loop
            Reversed (I) := Line (Line'Last + 1 - I);
         end loop;
         Put_Line (Count (2 .. Count'Last) & " " & Encode (Reversed));
      end;
   end loop;
end Unicode;
