// Package control answers the executor's calls about a sandbox as a whole.
package control
