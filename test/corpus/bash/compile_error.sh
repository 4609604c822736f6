for port in Kiel Brest; do
  echo "$port"
