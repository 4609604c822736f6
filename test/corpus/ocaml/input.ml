let () =
  let count = Scanf.scanf " %d" Fun.id in
  let numbers = List.init count (fun _ -> Scanf.scanf " %d" Fun.id) in
  let sum = List.fold_left ( + ) 0 numbers in
  Printf.printf "sum: %d\n" sum;
  Printf.printf "largest: %d\n" (List.fold_left max min_int numbers);
  Printf.printf "mean: %.2f\n" (float_of_int sum /. float_of_int count)
