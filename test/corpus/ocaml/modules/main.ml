let () =
  Printf.printf "square: %.2f\n" (Shapes.area (Square 3.));
  Printf.printf "circle: %.2f\n" (Shapes.area (Circle 2.))
