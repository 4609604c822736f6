source ./shapes.sh

printf 'square: %s\ncircle: %s\n' "$(square 3)" "$(circle 2)"
