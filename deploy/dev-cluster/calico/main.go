// Command calico is what enforces network policies, in a single static binary: the node's agent and the plugin that
// gives a pod its network. A link with a program's name runs it.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/projectcalico/calico/cni-plugin/pkg/plugin"
	felix "github.com/projectcalico/calico/felix/daemon"
)

const version = "v3.28"

func main() {
	switch filepath.Base(os.Args[0]) {
	case "calico":
		plugin.Main(version)
	case "calico-felix":
		// Configured by its environment alone: there is no such file.
		felix.Run("/nonexistent", version, "unknown", "")
	default:
		fmt.Fprintln(os.Stderr, "call it by a link that is named calico or calico-felix")
		os.Exit(2)
	}
}
