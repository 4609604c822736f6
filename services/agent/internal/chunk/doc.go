// Package chunk keeps a pool of the buffers in which bytes pass through the agent.
package chunk
