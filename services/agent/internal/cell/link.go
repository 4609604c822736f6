package cell

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"drydock.dev/agent/internal/cell/wire"
)

func socketPair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	theirs = os.NewFile(uintptr(fds[1]), "cell")
	file := os.NewFile(uintptr(fds[0]), "agent")
	defer file.Close()
	connection, err := net.FileConn(file)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return connection.(*net.UnixConn), theirs, nil
}

func (c *cell) send(message wire.Message, files []*os.File) error {
	var control []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, file := range files {
			fds[i] = int(file.Fd())
		}
		control = unix.UnixRights(fds...)
	}
	_ = c.link.SetWriteDeadline(time.Now().Add(answerTimeout))
	bytes := message.Encode()
	count, _, err := c.link.WriteMsgUnix(bytes, control, nil)
	if err == nil && count < len(bytes) {
		_, err = c.link.Write(bytes[count:])
	}
	return err
}

// answer waits a limited time for a message of this kind.
func (c *cell) answer(kind wire.Kind) (message wire.Message, files []*os.File, err error) {
	_ = c.link.SetReadDeadline(time.Now().Add(answerTimeout))
	message, files, err = c.receive()
	if err == nil && message.Kind != kind {
		closeAll(files)
		return message, nil, message.Unexpected()
	}
	return message, files, err
}

func (c *cell) receive() (wire.Message, []*os.File, error) {
	reader := descriptorReader{link: c.link}
	message, err := wire.Read(&reader)
	if err != nil {
		closeAll(reader.files)
	}
	return message, reader.files, err
}

// descriptorReader keeps the descriptors that come with the bytes it reads.
type descriptorReader struct {
	link  *net.UnixConn
	files []*os.File
}

func (r *descriptorReader) Read(to []byte) (int, error) {
	control := make([]byte, unix.CmsgSpace(4))
	count, controlCount, _, _, err := r.link.ReadMsgUnix(to, control)
	if count == 0 && err == nil {
		err = io.EOF
	}
	if controlCount == 0 || err != nil {
		return count, err
	}
	fds, err := wire.Descriptors(control[:controlCount])
	for _, fd := range fds {
		r.files = append(r.files, os.NewFile(uintptr(fd), "cell"))
	}
	return count, err
}

func closeAll(files []*os.File) {
	for _, file := range files {
		_ = file.Close()
	}
}
