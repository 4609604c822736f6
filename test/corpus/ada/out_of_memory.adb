procedure Out_Of_Memory is
   type Bytes is array (Long_Long_Integer range <>) of Character;
   type Bytes_Access is access Bytes;

   Kept : constant Bytes_Access := new Bytes (1 .. 2**45);
begin
   Kept (1) := 'x';
end Out_Of_Memory;
