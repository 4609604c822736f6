// Package wire is the protocol between the agent and the first process of a cell, over a socket that nobody else has.
package wire
