program sleeper
  call sleep(60)
end program sleeper
