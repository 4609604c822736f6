// Package files reads, writes and watches the sandbox's files with the rights of its user.
package files
