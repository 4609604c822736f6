package drydock_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"drydock.dev/drydock"
	"drydock.dev/drydock/drydocktest"
	drydockv1 "drydock.dev/drydock/v1"
)

// storage refuses what it is sent so many times, in the middle.
type storage struct {
	drydockv1.UnimplementedBlobServiceServer
	drydockv1.UnimplementedTestSetServiceServer
	refusals int
	tries    int
	content  []byte
}

func (s *storage) PutBlob(call grpc.ClientStreamingServer[drydockv1.PutBlobRequest, drydockv1.PutBlobResponse]) error {
	head, err := call.Recv()
	if err != nil {
		return err
	}
	s.content = nil
	s.tries++
	for {
		message, err := call.Recv()
		if err == io.EOF {
			blob := &drydockv1.Blob{Sha256: head.GetSha256(), SizeBytes: int64(len(s.content))}
			return call.SendAndClose(&drydockv1.PutBlobResponse{Blob: blob})
		}
		if err != nil {
			return err
		}
		if s.tries <= s.refusals {
			return drydocktest.Error(codes.Unavailable, "SERVICE_UNAVAILABLE", "not now")
		}
		s.content = append(s.content, message.GetData()...)
	}
}

func (s *storage) ImportTestSet(
	call grpc.ClientStreamingServer[drydockv1.ImportTestSetRequest, drydockv1.ImportTestSetResponse],
) error {
	s.tries++
	return drydocktest.Error(codes.Unavailable, "SERVICE_UNAVAILABLE", "not now")
}

func TestABlobIsSentWholeAgain(t *testing.T) {
	content := bytes.Repeat([]byte("drydock"), 200_000)
	storage := &storage{refusals: 2}
	blob, err := drydocktest.NewServer(t, storage).Client(t).PutBlob(t.Context(), content)
	if err != nil {
		t.Fatal(err)
	}
	if storage.tries != 3 || !bytes.Equal(storage.content, content) || blob.SizeBytes != int64(len(content)) {
		t.Errorf("%d tries sent %d bytes", storage.tries, len(storage.content))
	}
	if blob.SHA256 != "dbfdf493e4c89ee7af19825d4058ff528fdf36098b800b7914302de4f0de9d71" {
		t.Errorf("the hash is %s", blob.SHA256)
	}
}

func TestAPackageIsReadOnce(t *testing.T) {
	storage := &storage{}
	client := drydocktest.NewServer(t, storage).Client(t)
	_, _, err := client.ImportTestSet(t.Context(), bytes.NewReader([]byte("zip")), drydock.ImportOptions{})
	if !errors.Is(err, drydock.ErrUnavailable) || storage.tries != 1 {
		t.Errorf("%d tries ended with %v", storage.tries, err)
	}
}

func TestAPackageThatCannotBeReadIsToldOf(t *testing.T) {
	server := drydocktest.NewServer(t, &silent{})
	broken := errors.New("the disk broke")
	_, _, err := server.Client(t).ImportTestSet(t.Context(), iotest.ErrReader(broken), drydock.ImportOptions{})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// silent takes all and answers only at the end.
type silent struct {
	drydockv1.UnimplementedTestSetServiceServer
}

func (*silent) ImportTestSet(
	call grpc.ClientStreamingServer[drydockv1.ImportTestSetRequest, drydockv1.ImportTestSetResponse],
) error {
	for {
		if _, err := call.Recv(); err != nil {
			return err
		}
	}
}
