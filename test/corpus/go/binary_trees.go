package main

import "fmt"

const (
	minDepth = 4
	maxDepth = 10
)

type node struct{ left, right *node }

func grow(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{grow(depth - 1), grow(depth - 1)}
}

func (n *node) count() int {
	if n.left == nil {
		return 1
	}
	return 1 + n.left.count() + n.right.count()
}

func main() {
	fmt.Printf("stretch tree of depth %d\t check: %d\n", maxDepth+1, grow(maxDepth+1).count())
	long := grow(maxDepth)

	lines := map[int]chan string{}
	for depth := minDepth; depth <= maxDepth; depth += 2 {
		depth, line := depth, make(chan string)
		lines[depth] = line
		go func() {
			trees, check := 1<<(maxDepth-depth+minDepth), 0
			for i := 0; i < trees; i++ {
				check += grow(depth).count()
			}
			line <- fmt.Sprintf("%d\t trees of depth %d\t check: %d", trees, depth, check)
		}()
	}
	for depth := minDepth; depth <= maxDepth; depth += 2 {
		fmt.Println(<-lines[depth])
	}
	fmt.Printf("long lived tree of depth %d\t check: %d\n", maxDepth, long.count())
}
