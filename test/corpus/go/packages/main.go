package main

import (
	"fmt"

	"corpus.test/packages/shapes"
)

func main() {
	fmt.Printf("square: %.2f\ncircle: %.2f\n", shapes.Square(3), shapes.Circle(2))
}
