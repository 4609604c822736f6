// Package spawn starts programs as syscall.ForkExec does, but sets limits and the oom score before the program begins.
//
// A child need not share its parent's memory until then. While it does, the whole Go runtime waits for it; and it has the
// program's user already, so that another program could stop it for ever.
package spawn
