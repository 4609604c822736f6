begin
  while true do writeln('harbour');
end.
