declare -A counts
while read -ra words; do
  for word in "${words[@]}"; do
    word=${word,,}
    word=${word//[^a-z]/}
    [[ $word ]] && ((counts[$word]++))
  done
done
for word in "${!counts[@]}"; do
  printf '%s %d\n' "$word" "${counts[$word]}"
done | LC_ALL=C sort -k2,2nr -k1,1
