program input
  implicit none
  integer :: count
  integer, allocatable :: numbers(:)

  read *, count
  allocate (numbers(count))
  read *, numbers
  print '(a, i0)', 'sum: ', sum(numbers)
  print '(a, i0)', 'largest: ', maxval(numbers)
  print '(a, f0.2)', 'mean: ', real(sum(numbers)) / count
end program input
