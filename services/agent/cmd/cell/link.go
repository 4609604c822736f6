package main

import (
	"io"

	"golang.org/x/sys/unix"

	"drydock.dev/agent/internal/cell/wire"
)

// mostFiles are the standard streams of a step.
const mostFiles = 3

// link is the socket to the agent, with the descriptors of the last request.
type link struct {
	socket int
	files  []int
}

func (l *link) receive() (wire.Message, error) {
	l.files = nil
	return wire.Read(l)
}

func (l *link) Read(to []byte) (int, error) {
	control := make([]byte, unix.CmsgSpace(4*mostFiles))
	for {
		count, controlCount, _, _, err := unix.Recvmsg(l.socket, to, control, unix.MSG_CMSG_CLOEXEC)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, err
		case count == 0:
			return 0, io.EOF
		}
		if controlCount > 0 {
			if l.files, err = wire.Descriptors(control[:controlCount]); err != nil {
				return 0, err
			}
		}
		return count, nil
	}
}

func (l *link) send(m wire.Message, files ...int) error {
	var control []byte
	if len(files) > 0 {
		control = unix.UnixRights(files...)
	}
	for {
		if err := unix.Sendmsg(l.socket, m.Encode(), control, nil, unix.MSG_NOSIGNAL); err != unix.EINTR {
			return err
		}
	}
}
