var nowhere: ptr int
echo nowhere[]
