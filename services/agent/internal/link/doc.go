// Package link connects the agent to the executor: by a socket that it dials, or by one that it listens on for exec streams.
package link
