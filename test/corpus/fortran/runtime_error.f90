program runtime_error
  implicit none
  print '(a)', 'before'
  error stop 'the harbour is closed'
end program runtime_error
