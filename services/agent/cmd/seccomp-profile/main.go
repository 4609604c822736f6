// Command seccomp-profile prints the engines' default seccomp profile of today, as JSON. Older engines bring older ones,
// which let programs use io_uring and vsock sockets.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/moby/profiles/seccomp"
)

func main() {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(seccomp.DefaultProfile()); err != nil {
		fmt.Fprintln(os.Stderr, "seccomp-profile:", err)
		os.Exit(1)
	}
}
