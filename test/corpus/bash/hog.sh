printf -v block '%1048576s'
while :; do kept+=("$block"); done
