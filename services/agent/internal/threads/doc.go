// Package threads makes the agent's threads in advance and bounds how many of them wait in the kernel.
package threads
