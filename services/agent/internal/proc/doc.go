// Package proc reads the list of processes in /proc.
package proc
