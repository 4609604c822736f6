BEGIN { system("kill -TERM $PPID") }
