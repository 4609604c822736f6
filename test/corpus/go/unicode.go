package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	fmt.Println("Ahoj, světe ✓")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		runes := []rune(lines.Text())
		for i, j := 0, len(runes)-1; i < j; i, j = i+1, j-1 {
			runes[i], runes[j] = runes[j], runes[i]
		}
		fmt.Println(len(runes), string(runes))
	}
}
