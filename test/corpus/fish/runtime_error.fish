echo before
cat /the/harbour
exit 3
