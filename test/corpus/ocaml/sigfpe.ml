let () = exit (Sys.command "kill -FPE $PPID")
