let rec keep kept = keep (Bytes.make (1 lsl 20) 'x' :: kept)

let () = keep []
