package main

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestCellFilesBetweenStepsReplaceWhatIsThere(t *testing.T) {
	s := newSandbox(t, sandboxOptions{cells: true})
	c := s.openCell()
	c.file("input", 0, "first")
	if r := c.sh("cat input; echo kept > target; ln -sf target input; ln -s /tmp/outside output"); r.stdout != "first" {
		t.Fatalf("the first step: %+v", r)
	}
	c.file("input", 0, "sec")
	c.file("input", 0, "ond")
	c.file("output", 0, "made")
	r := c.sh("cat input output target; test -L input || test -L output || test -e /tmp/outside || echo plain")
	if r.stdout != "secondmadekept\nplain\n" {
		t.Fatalf("the second step: %+v", r)
	}
	c.end()
}

func TestCellFilesAfterAStepFollowNoDirectory(t *testing.T) {
	s := newSandbox(t, sandboxOptions{cells: true})
	c := s.openCell()
	c.sh("ln -s /tmp away; mkdir there")
	c.file("away/x/y", 0, "")
	if _, err := c.finish(); status.Code(err) != codes.InvalidArgument {
		t.Fatalf("a path through a link: %v", err)
	}
	c = s.openCell()
	c.sh("mkdir there")
	c.file("there", 0, "")
	if _, err := c.finish(); status.Code(err) != codes.FailedPrecondition {
		t.Fatalf("a file in the place of a directory: %v", err)
	}
	s.cellWorks()
}
