program unicode
  use, intrinsic :: iso_fortran_env, only: input_unit, output_unit
  implicit none
  integer, parameter :: ucs4 = selected_char_kind('ISO_10646')
  character(kind=ucs4, len=256) :: line
  integer :: status, length, i

  print '(a)', 'Ahoj, světe ✓'
  open (input_unit, encoding='UTF-8')
  open (output_unit, encoding='UTF-8')
  do
    read (input_unit, '(a)', iostat=status) line
    if (status /= 0) exit
    length = len_trim(line)
    write (output_unit, '(i0, 1x, *(a))') length, (line(i:i), i = length, 1, -1)
  end do
end program unicode
