// Package tunnel carries bytes to and from ports of the sandbox's loopback interface.
package tunnel
