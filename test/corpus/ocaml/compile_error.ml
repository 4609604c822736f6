let () = print_int harbour
