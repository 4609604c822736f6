package main

import "fmt"

const n = 7

func reverse(s []int) {
	for i, j := 0, len(s)-1; i < j; i, j = i+1, j-1 {
		s[i], s[j] = s[j], s[i]
	}
}

func countFlips(permutation []int) int {
	var scratch [n]int
	copy(scratch[:], permutation)
	flips := 0
	for ; scratch[0] != 0; flips++ {
		reverse(scratch[:scratch[0]+1])
	}
	return flips
}

// next moves to the following permutation; false after the last.
func next(permutation, counts []int) bool {
	for i := 1; i < n; i++ {
		first := permutation[0]
		copy(permutation, permutation[1:i+1])
		permutation[i] = first
		if counts[i]++; counts[i] <= i {
			return true
		}
		counts[i] = 0
	}
	return false
}

func main() {
	permutation, counts := make([]int, n), make([]int, n)
	for i := range permutation {
		permutation[i] = i
	}
	checksum, most, sign := 0, 0, 1
	for more := true; more; more = next(permutation, counts) {
		flips := countFlips(permutation)
		checksum += sign * flips
		sign = -sign
		if flips > most {
			most = flips
		}
	}
	fmt.Printf("%d\nPfannkuchen(%d) = %d\n", checksum, n, most)
}
