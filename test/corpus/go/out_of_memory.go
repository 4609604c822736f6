package main

func main() {
	size := 1 << 45
	kept := make([]byte, size)
	kept[0] = 1
}
