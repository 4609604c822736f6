program RuntimeError;

{$mode objfpc}

uses
  SysUtils;

begin
  WriteLn('before');
  raise Exception.Create('the harbour is closed');
end.
