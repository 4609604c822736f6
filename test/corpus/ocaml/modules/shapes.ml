type t = Square of float | Circle of float

let area = function
  | Square side -> side ** 2.
  | Circle radius -> Float.pi *. (radius ** 2.)
