set -euo pipefail

sequence=

flush() {
  [[ -z $sequence ]] && return
  rev <<<"$sequence" | tr ACBDGHKMNSRUTWVYacbdghkmnsrutwvy TGVHCDMKNSYAAWBRTGVHCDMKNSYAAWBR | fold -w 60
  sequence=
}

while IFS= read -r line; do
  if [[ $line == '>'* ]]; then
    flush
    printf '%s\n' "$line"
  else
    sequence+=$line
  fi
done
flush
