package main

import (
	"math"

	"golang.org/x/sys/unix"
)

const (
	architecture = unix.AUDIT_ARCH_AARCH64
	otherCalls   = math.MaxUint32
)
