program sigabrt
  call abort()
end program sigabrt
