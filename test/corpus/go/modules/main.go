package main

import "fmt"

func main() {
	for _, s := range []shape{square{3}, circle{2}} {
		fmt.Printf("%s: %.2f\n", s.name(), s.area())
	}
}
