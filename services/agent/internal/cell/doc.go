// Package cell runs one program at a time in fresh namespaces, each time new, inside a sandbox.
package cell
