package main

import "math"

type shape interface {
	name() string
	area() float64
}

type square struct{ side float64 }

func (square) name() string    { return "square" }
func (s square) area() float64 { return s.side * s.side }

type circle struct{ radius float64 }

func (circle) name() string    { return "circle" }
func (c circle) area() float64 { return math.Pi * c.radius * c.radius }
