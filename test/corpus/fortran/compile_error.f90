program compile_error
  implicit none
  print *, harbour
end program compile_error
