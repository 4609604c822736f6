program CompileError;

begin
  WriteLn(Harbour);
end.
