// Package cgroup reads the usage of the sandbox's own cgroup, of version 1 or 2.
package cgroup
