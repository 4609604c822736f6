let () = exit (Sys.command "sleep 60")
