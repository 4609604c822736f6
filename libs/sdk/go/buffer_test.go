package drydock

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/synctest"
)

func TestAPipeHoldsAsMuchAsOneOfTheSystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, written := newPipe(), false
		content := bytes.Repeat([]byte("0123456789abcdef"), 3*pipeBytes/16)
		go func() {
			_, _ = p.Write(content[:pipeBytes])
			written = true
			_, _ = p.Write(content[pipeBytes:])
			p.finish(io.EOF)
		}()
		synctest.Wait()
		if !written || p.held.Len() != pipeBytes {
			t.Errorf("it holds %d bytes", p.held.Len())
		}
		if got, err := io.ReadAll(p); err != nil || !bytes.Equal(got, content) {
			t.Errorf("read %d bytes and %v", len(got), err)
		}
	})
}

func TestAReaderThatLeavesFreesTheWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, over := newPipe(), make(chan error)
		go func() {
			_, err := p.Write(make([]byte, 10*pipeBytes))
			over <- err
		}()
		synctest.Wait()
		_ = p.Close()
		if err := <-over; err != nil {
			t.Errorf("the writer got %v", err)
		}
		if _, err := p.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the reader got %v", err)
		}
	})
}

func TestAWriterThatEndsTellsTheReaderWhy(t *testing.T) {
	p, why := newPipe(), errors.New("why")
	_, _ = p.Write([]byte("rest"))
	p.finish(why)
	p.finish(io.EOF)
	if got, err := io.ReadAll(p); string(got) != "rest" || !errors.Is(err, why) {
		t.Errorf("got %q and %v", got, err)
	}
}

func TestABufferKeepsTheBeginningAndATailTheEnd(t *testing.T) {
	buffer := Buffer{Limit: 5}
	for _, piece := range []string{"abc", "def", "ghi"} {
		if n, err := buffer.Write([]byte(piece)); n != 3 || err != nil {
			t.Errorf("took %d and %v", n, err)
		}
	}
	if buffer.String() != "abcde" || !buffer.Truncated() {
		t.Errorf("kept %q", buffer.String())
	}
	var end tail
	_, _ = end.Write(bytes.Repeat([]byte("x"), tailBytes))
	_, _ = end.Write([]byte("end"))
	if len(end.kept) != tailBytes || !bytes.HasSuffix(end.kept, []byte("xend")) {
		t.Errorf("kept %q", end.kept)
	}
}
