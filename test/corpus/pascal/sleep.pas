uses
  SysUtils;

begin
  SysUtils.Sleep(60000);
end.
