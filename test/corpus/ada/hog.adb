procedure Hog is
   type Block;
   type Link is access Block;
   type Block is record
      Bytes : String (1 .. 2**20);
      Next  : Link;
   end record;

   Kept : Link with Volatile;
begin
   loop
      Kept := new Block'(Bytes => (others => 'x'), Next => Kept);
   end loop;
end Hog;
