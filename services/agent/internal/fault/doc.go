// Package fault makes the agent's errors: a gRPC status with a reason that the executor reads.
package fault
