package main

import "fmt"

func main() {
	fmt.Println("before")
	var berths map[string]int
	berths["Kiel"] = 12
}
