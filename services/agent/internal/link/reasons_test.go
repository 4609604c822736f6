package link_test

import (
	"testing"
	"time"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/fault"
	"drydock.dev/agent/internal/sandboxtest"
)

func TestErrorsCarryTheirReason(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{})
	ctx := s.Context(20 * time.Second)
	s.MustRun("sh", "-c", "mkdir directory; touch file")
	ended, running := sandboxtest.NewID(), sandboxtest.NewID()
	_, err := s.Run(&pb.StartRequest{ProcessId: ended, Command: []string{"true"}})
	sandboxtest.Must(t, err)
	_, cancel := s.Start(&pb.StartRequest{ProcessId: running, Command: []string{"sh", "-c", "echo ready; exec sleep 1000"}})
	defer cancel()
	for _, test := range []struct {
		reason pb.Reason
		call   func() error
	}{
		{pb.Reason_COMMAND_NOT_FOUND, func() error { _, err := s.Run(&pb.StartRequest{Command: []string{"/no/such"}}); return err }},
		{pb.Reason_INVALID_REQUEST, func() error { _, err := s.Run(&pb.StartRequest{}); return err }},
		{pb.Reason_PROCESS_NOT_FOUND, func() error {
			_, err := s.Process.Signal(ctx, &pb.SignalRequest{ProcessId: "prc_none", Signal: 15})
			return err
		}},
		{pb.Reason_PROCESS_ENDED, func() error {
			_, err := s.Process.Signal(ctx, &pb.SignalRequest{ProcessId: ended, Signal: 15})
			return err
		}},
		{pb.Reason_PROCESS_INPUT_CLOSED, func() error {
			_, err := s.Process.WriteInput(ctx, &pb.WriteInputRequest{ProcessId: running})
			return err
		}},
		{pb.Reason_PROCESS_INPUT_CLOSED, func() error {
			_, err := s.Process.Resize(ctx, &pb.ResizeRequest{ProcessId: running})
			return err
		}},
		{pb.Reason_FILE_NOT_FOUND, func() error { _, err := s.Files.Stat(ctx, &pb.StatRequest{Path: "none"}); return err }},
		{pb.Reason_FILE_WRONG_TYPE, func() error { _, err := s.Files.ListDirectory(ctx, &pb.ListDirectoryRequest{Path: "file"}); return err }},
		{pb.Reason_FILE_EXISTS, func() error {
			_, err := s.Files.MakeDirectory(ctx, &pb.MakeDirectoryRequest{Path: "file/x"})
			return err
		}},
		{pb.Reason_FILE_PERMISSION_DENIED, func() error { _, err := s.Files.Remove(ctx, &pb.RemoveRequest{Path: "/etc/passwd"}); return err }},
		{pb.Reason_PATH_INVALID, func() error { _, err := s.Files.Stat(ctx, &pb.StatRequest{Path: "nul\x00"}); return err }},
		{pb.Reason_SANDBOX_BOUND, func() error {
			if _, err := s.Control.Bind(ctx, &pb.BindRequest{SandboxId: "sbx_a"}); err != nil {
				return err
			}
			_, err := s.Control.Bind(ctx, &pb.BindRequest{SandboxId: "sbx_b"})
			return err
		}},
		{pb.Reason_CELLS_UNSUPPORTED, func() error { _, err := s.Cells.Prepare(ctx, &pb.PrepareRequest{}); return err }},
		{pb.Reason_PORT_NOT_LISTENING, func() error {
			tunnel, err := s.Tunnel.Open(ctx)
			sandboxtest.Must(t, err)
			sandboxtest.Must(t, tunnel.Send(&pb.OpenRequest{Port: 1}))
			_, err = tunnel.Recv()
			return err
		}},
	} {
		if err := test.call(); fault.ReasonOf(err) != test.reason {
			t.Errorf("%s: %v: %v", test.reason, fault.ReasonOf(err), err)
		}
	}
}
