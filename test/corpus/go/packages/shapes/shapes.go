// Package shapes knows areas.
package shapes

import "math"

func Square(side float64) float64 { return side * side }

func Circle(radius float64) float64 { return math.Pi * radius * radius }
