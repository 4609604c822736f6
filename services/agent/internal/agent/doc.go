// Package agent puts the parts of the agent together and prepares the process that they run in.
package agent
