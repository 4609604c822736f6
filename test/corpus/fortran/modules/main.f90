program main
  use shapes, only: circle, square
  implicit none
  print '(a, f0.2)', 'square: ', square(3.0), 'circle: ', circle(2.0)
end program main
