NR == 1 { count = $1; next }

{
    for (i = 1; i <= NF && seen < count; i++) {
        sum += $i
        if (seen++ == 0 || $i > largest) largest = $i
    }
}

END { printf "sum: %d\nlargest: %d\nmean: %.2f\n", sum, largest, sum / count }
