echo 'Ahoj, světe ✓'
while IFS= read -r line; do
  printf '%d %s\n' "${#line}" "$(rev <<<"$line")"
done
