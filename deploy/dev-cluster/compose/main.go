// Command compose is the compose plugin of the docker command, as its own repository builds it.
package main

import (
	"github.com/docker/cli/cli-plugins/metadata"
	"github.com/docker/cli/cli-plugins/plugin"
	"github.com/docker/cli/cli/command"
	commands "github.com/docker/compose/v2/cmd/compose"
	"github.com/docker/compose/v2/pkg/compose"
	"github.com/spf13/cobra"
)

func main() {
	root := func(cli command.Cli) *cobra.Command {
		return commands.RootCommand(cli, compose.NewComposeService(cli))
	}
	plugin.Run(root, metadata.Metadata{SchemaVersion: "0.1.0", Vendor: "Docker Inc."})
}
