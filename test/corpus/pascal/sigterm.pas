uses
  BaseUnix;

begin
  FpKill(FpGetPid, SIGTERM);
end.
