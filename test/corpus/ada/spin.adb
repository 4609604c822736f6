procedure Spin is
begin
   loop
      null;
   end loop;
end Spin;
