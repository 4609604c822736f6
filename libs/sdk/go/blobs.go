package drydock

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"time"

	drydockv1 "drydock.dev/drydock/v1"
)

// Blob is bytes that are sent once and named by their hash from then on. It is deleted when nothing has used it for 30 days.
type Blob struct {
	// SHA256 of the bytes, as 64 lower-case hexadecimal digits.
	SHA256     string
	SizeBytes  int64
	CreateTime time.Time
}

func toBlob(m *drydockv1.Blob) *Blob {
	return &Blob{SHA256: m.GetSha256(), SizeBytes: m.GetSizeBytes(), CreateTime: toTime(m.GetCreateTime())}
}

// PutBlob keeps bytes, to 256 MiB. Those that are there already count once. Fails with ErrQuotaExceeded, ErrInvalidArgument.
func (c *Client) PutBlob(ctx context.Context, content []byte) (*Blob, error) {
	hash := sha256.Sum256(content)
	put := transfer[drydockv1.PutBlobRequest, drydockv1.PutBlobResponse]{
		method: c.connection.blobs.PutBlob,
		head:   &drydockv1.PutBlobRequest{Sha256: hex.EncodeToString(hash[:])},
		piece:  func(data []byte) *drydockv1.PutBlobRequest { return &drydockv1.PutBlobRequest{Data: data} },
	}
	kind := kind{repeatable: true, unlimited: true}
	answer, err := upload(ctx, c.connection, kind, put, func() io.Reader { return bytes.NewReader(content) })
	if err != nil {
		return nil, err
	}
	return toBlob(answer.GetBlob()), nil
}

// ReadBlob reads a blob to its end or until it is closed. Fails with ErrNotFound, and with ErrInvalidArgument for a hash that is none.
func (c *Client) ReadBlob(ctx context.Context, sha256 string) (io.ReadCloser, error) {
	request := &drydockv1.ReadBlobRequest{Sha256: sha256}
	pieces, err := open(ctx, c.connection, repeatable, c.connection.blobs.ReadBlob, request)
	if err != nil {
		return nil, err
	}
	return &pieceReader{next: nextData(pieces), close: pieces.close}, nil
}

// StatBlobs tells which of 1 to 1,000 blobs are there, once each in the order of their hashes here, and which are missing. It counts as
// a use of those that are. Fails with ErrInvalidArgument for a hash that is none.
func (c *Client) StatBlobs(ctx context.Context, sha256s ...string) (found []*Blob, missing []string, err error) {
	request := &drydockv1.StatBlobsRequest{Sha256S: sha256s}
	answer, err := call(ctx, c.connection, repeatable, c.connection.blobs.StatBlobs, request)
	if err != nil {
		return nil, nil, err
	}
	return converted(answer.GetBlobs(), toBlob), answer.GetMissingSha256S(), nil
}
