// Package user is the identity of a sandbox's programs, under which the agent also does its work with files.
package user
