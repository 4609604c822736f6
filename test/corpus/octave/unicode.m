puts("Ahoj, světe ✓\n");
while ischar(line = fgetl(stdin))
  codes = typecast(unicode2native(line, 'UTF-32LE'), 'uint32');
  reversed = typecast(fliplr(codes), 'uint8');
  printf("%d %s\n", numel(codes), native2unicode(reversed, 'UTF-32LE'));
end
