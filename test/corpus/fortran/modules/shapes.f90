module shapes
  implicit none
  private
  public :: circle, square
  real, parameter :: pi = acos(-1.0)

contains

  pure real function square(side)
    real, intent(in) :: side
    square = side**2
  end function square

  pure real function circle(radius)
    real, intent(in) :: radius
    circle = pi * radius**2
  end function circle

end module shapes
