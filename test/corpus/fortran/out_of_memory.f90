program out_of_memory
  use, intrinsic :: iso_fortran_env, only: int8, int64
  implicit none
  integer(int8), allocatable :: kept(:)

  allocate (kept(2_int64**45))
  kept = 1
  print *, sum(kept)
end program out_of_memory
