package sandboxtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// With DRYDOCK_TEST_IMAGE the same tests run in containers of that image, as an engine makes them, instead of namespaces
// of our own; DOCKER_HOST says where the engine is.
var image = os.Getenv("DRYDOCK_TEST_IMAGE")

func docker(arguments ...string) (string, error) {
	output, err := exec.Command("docker", arguments...).CombinedOutput()
	return strings.TrimSpace(string(output)), err
}

func (s *Sandbox) launchContainer(options Options) {
	t := s.T
	if options.Listen {
		t.Skip("has no exec stream to a container")
	}
	directory := filepath.Dir(s.Socket)
	profile := filepath.Join(directory, "seccomp.json")
	kind := ""
	if options.Cells {
		kind = "cells"
	}
	build := exec.Command("sh", "-c", `go build -o "$1" drydock.dev/agent && go run drydock.dev/agent/cmd/seccomp-profile $3 > "$2"`, "sh", s.binary, profile, kind)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	Must(t, os.Remove(s.binary))
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s", output)
	}
	arguments := []string{
		"run", "--detach", "--entrypoint", "/run/drydock/agent", "--network", "none", "--read-only", "--log-driver", "none",
		"--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--security-opt", "seccomp=" + profile,
		"--volume", s.binary + ":/run/drydock/agent:ro", "--volume", directory + ":/run/drydock/link:ro",
		"--tmpfs", fmt.Sprintf("/home/user:rw,nosuid,nodev,exec,uid=%d,gid=%d,mode=0755,size=64m", UserID, UserID), "--tmpfs", "/tmp:size=16m",
		"--user", strconv.Itoa(s.user) + ":" + strconv.Itoa(s.user),
	}
	if options.Cells {
		// A cell's own /proc can only be had where the sandbox's has no masks; it masks its own.
		arguments = append(arguments, "--security-opt", "systempaths=unconfined", "--security-opt", "apparmor=unconfined",
			"--volume", filepath.Join(directory, "cell")+":/run/drydock/cell:ro")
	}
	if !options.SameUser {
		arguments = append(arguments, "--cap-add", "SETUID", "--cap-add", "SETGID", "--cap-add", "KILL")
	}
	memory, processes := int64(256<<20), 128
	if options.Memory > 0 {
		memory = options.Memory
	}
	if options.Processes > 0 {
		processes = options.Processes
	}
	arguments = append(arguments, "--memory", strconv.FormatInt(memory, 10), "--memory-swap", strconv.FormatInt(memory, 10),
		"--pids-limit", strconv.Itoa(processes), image, "serve", "/run/drydock/link/agent.sock",
		strconv.Itoa(UserID), strconv.Itoa(OwnerID))
	id, err := docker(arguments...)
	if err != nil {
		t.Fatal(id)
	}
	t.Cleanup(func() { _, _ = docker("rm", "--force", id) })
	pid, err := docker("inspect", "--format", "{{.State.Pid}}", id)
	Must(t, err)
	s.PID, err = strconv.Atoi(pid)
	Must(t, err)
}
