(* A string is its bytes; a character begins with each byte that continues none. *)
let continues byte = Char.code byte land 0xC0 = 0x80

let rec characters text =
  match String.length text with
  | 0 -> []
  | length ->
      let rec next i = if i < length && continues text.[i] then next (i + 1) else i in
      let after = next 1 in
      String.sub text 0 after :: characters (String.sub text after (length - after))

let rec each_line f =
  match input_line stdin with
  | line -> f line; each_line f
  | exception End_of_file -> ()

let () =
  print_endline "Ahoj, světe ✓";
  each_line (fun line ->
      let all = characters line in
      Printf.printf "%d %s\n" (List.length all) (String.concat "" (List.rev all)))
