package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	in := bufio.NewReader(os.Stdin)
	var count, sum, largest int
	fmt.Fscan(in, &count)
	for i := 0; i < count; i++ {
		var number int
		fmt.Fscan(in, &number)
		sum += number
		if i == 0 || number > largest {
			largest = number
		}
	}
	fmt.Printf("sum: %d\nlargest: %d\nmean: %.2f\n", sum, largest, float64(sum)/float64(count))
}
