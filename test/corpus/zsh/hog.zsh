kept=x
while true; do kept+=$kept; done
