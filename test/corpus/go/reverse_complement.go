package main

import (
	"bufio"
	"os"
)

var complements = func() (table [256]byte) {
	const from, to = "ACBDGHKMNSRUTWVY", "TGVHCDMKNSYAAWBR"
	for i := range from {
		table[from[i]], table[from[i]|0x20] = to[i], to[i]
	}
	return
}()

func flush(out *bufio.Writer, sequence []byte) {
	for i := range sequence {
		out.WriteByte(complements[sequence[len(sequence)-1-i]])
		if i%60 == 59 || i == len(sequence)-1 {
			out.WriteByte('\n')
		}
	}
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	var sequence []byte
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		line := lines.Bytes()
		if len(line) == 0 || line[0] != '>' {
			sequence = append(sequence, line...)
			continue
		}
		flush(out, sequence)
		sequence = sequence[:0]
		out.Write(line)
		out.WriteByte('\n')
	}
	flush(out, sequence)
}
