// Package programs finds the file of a command, with the rights of the calling thread.
package programs
