procedure Sleep is
begin
   delay 60.0;
end Sleep;
