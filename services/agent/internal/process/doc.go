// Package process runs commands: it starts them, follows their output, holds them to limits and ends all that they started.
package process
