// Command drydock-agent is the first process of a sandbox: it runs commands, moves files and reaps leftover processes.
package main

import (
	"fmt"
	"os"

	"drydock.dev/agent/internal/agent"
)

func main() {
	if err := agent.Run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "drydock-agent:", err)
		os.Exit(1)
	}
}
