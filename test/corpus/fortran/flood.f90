program flood
  do
    print '(a)', 'harbour'
  end do
end program flood
