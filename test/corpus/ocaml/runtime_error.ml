let () =
  print_endline "before";
  failwith "the harbour is closed"
