kept=harbour
while :; do kept+=$kept; done
