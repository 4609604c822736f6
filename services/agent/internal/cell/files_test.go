package cell_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"drydock.dev/agent/internal/sandboxtest"
)

func TestCellFilesBetweenStepsReplaceWhatIsThere(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	c := s.OpenCell()
	c.File("input", 0, "first")
	if r := c.Sh("cat input; echo kept > target; ln -sf target input; ln -s /tmp/outside output"); r.Stdout != "first" {
		t.Fatalf("the first step: %+v", r)
	}
	c.File("input", 0, "sec")
	c.File("input", 0, "ond")
	c.File("output", 0, "made")
	r := c.Sh("cat input output target; test -L input || test -L output || test -e /tmp/outside || echo plain")
	if r.Stdout != "secondmadekept\nplain\n" {
		t.Fatalf("the second step: %+v", r)
	}
	c.End()
}

func TestCellFilesAfterAStepFollowNoDirectory(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true})
	c := s.OpenCell()
	c.Sh("ln -s /tmp away; mkdir there")
	c.File("away/x/y", 0, "")
	if _, err := c.Finish(); status.Code(err) != codes.InvalidArgument {
		t.Fatalf("a path through a link: %v", err)
	}
	c = s.OpenCell()
	c.Sh("mkdir there")
	c.File("there", 0, "")
	if _, err := c.Finish(); status.Code(err) != codes.FailedPrecondition {
		t.Fatalf("a file in the place of a directory: %v", err)
	}
	s.CellWorks()
}
