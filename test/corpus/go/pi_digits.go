package main

import (
	"fmt"
	"math/big"
)

// spigot holds the transformation (q r; 0 t) after k terms.
type spigot struct {
	q, r, t *big.Int
	k       int64
}

func (s *spigot) extract(at int64) *big.Int {
	n := new(big.Int).Mul(s.q, big.NewInt(at))
	return n.Div(n.Add(n, s.r), s.t)
}

func (s *spigot) consume() {
	s.k++
	odd := big.NewInt(2*s.k + 1)
	s.r.Add(s.r, new(big.Int).Lsh(s.q, 1)).Mul(s.r, odd)
	s.t.Mul(s.t, odd)
	s.q.Mul(s.q, big.NewInt(s.k))
}

func (s *spigot) next() int64 {
	for ; ; s.consume() {
		digit := s.extract(3)
		if s.k > 0 && digit.Cmp(s.extract(4)) == 0 {
			ten := big.NewInt(10)
			s.q.Mul(s.q, ten)
			s.r.Sub(s.r, new(big.Int).Mul(digit, s.t)).Mul(s.r, ten)
			return digit.Int64()
		}
	}
}

func main() {
	s := spigot{q: big.NewInt(1), r: big.NewInt(0), t: big.NewInt(1)}
	for count := 1; count <= 100; count++ {
		fmt.Print(s.next())
		if count%10 == 0 {
			fmt.Printf("\t:%d\n", count)
		}
	}
}
