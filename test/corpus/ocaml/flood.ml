let () = while true do print_endline "harbour" done
