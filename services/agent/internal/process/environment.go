package process

import (
	"maps"
	"slices"
	"strings"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/user"
)

// markerVariable identifies the descendants of a process that left its session and lost their parent.
const markerVariable = "DRYDOCK_PROCESS_ID"

// environmentOf lists a process's variables: ours, then the sandbox's, then its own. Callers cannot set the marker.
func environmentOf(bound map[string]string, request *pb.StartRequest) []string {
	variables := map[string]string{
		"HOME": user.Home, "USER": "user", "LOGNAME": "user", "LANG": "C.UTF-8",
		"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	}
	if request.Terminal != nil {
		variables["TERM"] = "xterm-256color"
	}
	maps.Copy(variables, bound)
	maps.Copy(variables, request.Environment)
	delete(variables, markerVariable)
	list := make([]string, 0, len(variables))
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		list = append(list, name+"="+variables[name])
	}
	return list
}

func variable(environment []string, name string) string {
	for _, entry := range environment {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}
