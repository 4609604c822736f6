package cell

import (
	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/fault"
	"drydock.dev/agent/internal/files"
	"drydock.dev/agent/internal/tree"
)

// open takes a cell, writes what was kept into it, and tells so.
func (r *run) open() error {
	c, program, err := r.service.open(r.sizes)
	if err != nil {
		return err
	}
	r.cell = c
	r.files = programFiles{user: r.service.user, directory: program}
	if r.kept != nil {
		// Later files replace what was kept and follow no link of it, as after a step.
		r.files.stepped = true
		_, err = files.Do(r.service.user, func() (any, error) { return nil, r.kept.Write(int(program.Fd())) })
	}
	if err == nil {
		err = r.stream.Send(&pb.RunResponse{Event: &pb.RunResponse_Opened{Opened: &pb.CellOpened{}}})
	}
	if err != nil {
		r.close()
	}
	return err
}

// keep copies the program's directory out of the cell.
func (r *run) keep() error {
	r.files.finish()
	kept, err := files.Do(r.service.user, func() (*tree.Tree, error) { return tree.Save(int(r.files.directory.Fd())) })
	if err != nil {
		return err
	}
	r.kept.Close()
	r.kept = kept
	return r.stream.Send(&pb.RunResponse{Event: &pb.RunResponse_Kept{Kept: &pb.KeepResponse{}}})
}

// renew ends the cell with everything in it, and opens a fresh one.
func (r *run) renew() error {
	if r.kept == nil {
		return fault.New(pb.Reason_NOTHING_KEPT, "nothing was kept for a fresh cell")
	}
	r.files.close()
	r.cell.close()
	return r.open()
}

func (r *run) close() {
	r.files.close()
	r.cell.close()
	r.kept.Close()
}
