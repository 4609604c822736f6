// Package sandboxtest makes sandboxes for tests. The test program is also the agent: it starts itself as the first process of
// new namespaces, with the capabilities that a sandbox has, and talks to itself over the socket that the agent dials.
package sandboxtest
