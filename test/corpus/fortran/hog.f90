program hog
  implicit none
  type chunk
    integer :: numbers(2**18)
    type(chunk), pointer :: next
  end type chunk
  type(chunk), pointer, volatile :: kept => null()
  type(chunk), pointer :: newest

  do
    allocate (newest)
    newest%numbers = 1
    newest%next => kept
    kept => newest
  end do
end program hog
