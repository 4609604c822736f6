print before
cat /the/harbour || exit 3
