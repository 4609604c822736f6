// Package tree keeps a copy of a directory in memory, and writes it again.
package tree
