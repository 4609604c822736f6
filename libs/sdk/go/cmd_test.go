package drydock_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"drydock.dev/drydock"
	"drydock.dev/drydock/drydocktest"
	drydockv1 "drydock.dev/drydock/v1"
)

// piece of the output of the command that the tests run.
type piece struct {
	stream drydock.Stream
	text   string
}

var pieces = []piece{
	{drydock.Stdout, "one "}, {drydock.Stderr, "first "}, {drydock.Stdout, "two "}, {drydock.Stdout, "three"}, {drydock.Stderr, "second"},
}

// processes has one command, whose stream breaks after so many messages, each time one later.
type processes struct {
	drydockv1.UnimplementedSandboxServiceServer
	drydockv1.UnimplementedProcessServiceServer

	mutex      sync.Mutex
	breakAfter int
	// Bytes that each piece is repeated from when the command is joined.
	repeated int64
	// Bytes of standard output that are no longer kept.
	lost int64
	// It ends when it is killed.
	endless bool
	killed  chan struct{}
	inputs  []string
}

func (*processes) CreateSandbox(context.Context, *drydockv1.CreateSandboxRequest) (*drydockv1.CreateSandboxResponse, error) {
	return &drydockv1.CreateSandboxResponse{Sandbox: &drydockv1.Sandbox{Id: "sbx_1"}}, nil
}

func (p *processes) StartProcess(_ *drydockv1.StartProcessRequest, stream grpc.ServerStreamingServer[drydockv1.StartProcessResponse]) error {
	return p.play(stream.Context(), 0, 0, stream.Send)
}

func (p *processes) ConnectProcess(
	request *drydockv1.ConnectProcessRequest, stream grpc.ServerStreamingServer[drydockv1.ConnectProcessResponse],
) error {
	from, to := max(0, request.GetStdoutOffset()-p.repeated), max(0, request.GetStderrOffset()-p.repeated)
	return p.play(stream.Context(), max(from, p.lost), to, func(event *drydockv1.StartProcessResponse) error {
		// Both messages have the same fields.
		content, err := proto.Marshal(event)
		if err != nil {
			return err
		}
		same := &drydockv1.ConnectProcessResponse{}
		if err := proto.Unmarshal(content, same); err != nil {
			return err
		}
		return stream.Send(same)
	})
}

func (p *processes) play(ctx context.Context, stdout, stderr int64, send func(*drydockv1.StartProcessResponse) error) error {
	started := &drydockv1.StartProcessResponse_Started{Started: &drydockv1.ProcessStarted{ProcessId: "prc_1", Pid: 7}}
	events := []*drydockv1.StartProcessResponse{{Event: started}}
	at := map[drydock.Stream]int64{}
	for _, each := range pieces {
		offset := at[each.stream]
		at[each.stream] += int64(len(each.text))
		skipped := stdout
		if each.stream == drydock.Stderr {
			skipped = stderr
		}
		if at[each.stream] <= skipped {
			continue
		}
		from := max(offset, skipped)
		output := &drydockv1.Output{Offset: from, Content: &drydockv1.Output_Text{Text: each.text[from-offset:]}}
		if each.stream == drydock.Stdout {
			events = append(events, &drydockv1.StartProcessResponse{Event: &drydockv1.StartProcessResponse_Stdout{Stdout: output}})
		} else {
			events = append(events, &drydockv1.StartProcessResponse{Event: &drydockv1.StartProcessResponse_Stderr{Stderr: output}})
		}
	}
	p.mutex.Lock()
	room := p.breakAfter
	p.breakAfter++
	p.mutex.Unlock()
	for _, event := range events {
		if room == 0 {
			return drydocktest.Error(codes.Unavailable, "SERVICE_UNAVAILABLE", "broken")
		}
		room--
		if err := send(event); err != nil {
			return err
		}
	}
	if p.endless {
		select {
		case <-p.killed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	exited := &drydockv1.ProcessExited{ExitCode: new(int32(0))}
	return send(&drydockv1.StartProcessResponse{Event: &drydockv1.StartProcessResponse_Exited{Exited: exited}})
}

func (p *processes) SignalProcess(_ context.Context, request *drydockv1.SignalProcessRequest) (*drydockv1.SignalProcessResponse, error) {
	if request.GetSignal() == "SIGKILL" {
		close(p.killed)
	}
	return &drydockv1.SignalProcessResponse{}, nil
}

func (p *processes) WriteProcessInput(
	_ context.Context, request *drydockv1.WriteProcessInputRequest,
) (*drydockv1.WriteProcessInputResponse, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.inputs = append(p.inputs, fmt.Sprintf("%s%v", request.GetData(), request.GetClose()))
	return &drydockv1.WriteProcessInputResponse{}, nil
}

func (*processes) ListProcesses(context.Context, *drydockv1.ListProcessesRequest) (*drydockv1.ListProcessesResponse, error) {
	return &drydockv1.ListProcessesResponse{Processes: []*drydockv1.Process{{Id: "prc_1", Pid: 7}}}, nil
}

// never breaks.
const never = 1_000

func sandboxWith(t *testing.T, p *processes) *drydock.Sandbox {
	t.Helper()
	p.killed = make(chan struct{})
	sandbox, err := drydocktest.NewServer(t, p).Client(t).CreateSandbox(t.Context(), "python")
	if err != nil {
		t.Fatal(err)
	}
	return sandbox
}

func TestAStreamThatBreaksAnywhereIsJoinedWithoutGapOrRepetition(t *testing.T) {
	for after := range len(pieces) + 2 {
		for repeated := range int64(5) {
			t.Run(fmt.Sprintf("after %d messages, %d bytes again", after, repeated), func(t *testing.T) {
				t.Parallel()
				cmd := sandboxWith(t, &processes{breakAfter: after, repeated: repeated}).Command(t.Context(), "count")
				var stdout, stderr strings.Builder
				cmd.Stdout, cmd.Stderr = &stdout, &stderr
				if err := cmd.Run(); err != nil {
					t.Fatal(err)
				}
				if stdout.String() != "one two three" || stderr.String() != "first second" {
					t.Errorf("read %q and %q", stdout.String(), stderr.String())
				}
				if cmd.Offset() != (drydock.Offset{Stdout: 13, Stderr: 12}) {
					t.Errorf("it is at %+v", cmd.Offset())
				}
			})
		}
	}
}

func TestEventsAreReadInTurnsAndInOrder(t *testing.T) {
	cmd := sandboxWith(t, &processes{breakAfter: 3}).Command(t.Context(), "count")
	var read []piece
	for len(read) < len(pieces) {
		for output, err := range cmd.Events() {
			if err != nil {
				t.Fatal(err)
			}
			read = append(read, piece{output.Stream, string(output.Data)})
			break
		}
	}
	if err := cmd.Wait(); err != nil || !cmd.ProcessState.Success() {
		t.Errorf("ended with %v", err)
	}
	if fmt.Sprint(read) != fmt.Sprint(pieces) {
		t.Errorf("read %v", read)
	}
}

func TestOutputThatIsNoLongerKeptIsToldOf(t *testing.T) {
	sandbox := sandboxWith(t, &processes{breakAfter: never, lost: 6})
	err := sandbox.JoinCommand(t.Context(), "prc_1", &drydock.Offset{Stdout: 2}).Run()
	lost, isLost := errors.AsType[*drydock.OutputLostError](err)
	if !isLost || lost.LostBytes != 4 || lost.Stream != drydock.Stdout {
		t.Errorf("got %v", err)
	}
	if e, isError := errors.AsType[*drydock.Error](err); !isError || e.Reason != "OUTPUT_LOST" {
		t.Errorf("got %v", err)
	}
	kept, err := sandbox.JoinCommand(t.Context(), "prc_1", nil).Output()
	if err != nil || string(kept) != "o three" {
		t.Errorf("kept %q and %v", kept, err)
	}
}

func TestACommandIsKilledWithItsContextWhetherOrNotItIsRead(t *testing.T) {
	for name, begin := range map[string]func(*drydock.Cmd) error{
		"read":   func(cmd *drydock.Cmd) error { return cmd.Start() },
		"unread": func(cmd *drydock.Cmd) error { _, err := cmd.StdoutPipe(); return errors.Join(err, cmd.Start()) },
		"pulled": func(cmd *drydock.Cmd) error {
			for range cmd.Events() {
				break
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, why := &processes{breakAfter: never, endless: true}, errors.New("why")
			ctx, cancel := context.WithCancelCause(t.Context())
			cmd := sandboxWith(t, p).Command(ctx, "count")
			if err := begin(cmd); err != nil {
				t.Fatal(err)
			}
			cancel(why)
			<-p.killed
			if err := cmd.Wait(); !errors.Is(err, why) || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestACommandIsKilledWhereItsOutputOrInputFails(t *testing.T) {
	broken := errors.New("broken")
	for name, prepare := range map[string]func(*drydock.Cmd){
		"output": func(cmd *drydock.Cmd) { cmd.Stdout = failing{broken} },
		"input":  func(cmd *drydock.Cmd) { cmd.Stdin = io.MultiReader(strings.NewReader("part"), failing{broken}) },
	} {
		t.Run(name, func(t *testing.T) {
			p := &processes{breakAfter: never, endless: true}
			cmd := sandboxWith(t, p).Command(t.Context(), "count")
			prepare(cmd)
			if err := cmd.Run(); !errors.Is(err, broken) {
				t.Errorf("got %v", err)
			}
			<-p.killed
			if fmt.Sprint(p.inputs) != "[]" && fmt.Sprint(p.inputs) != "[partfalse]" {
				t.Errorf("its input was %v", p.inputs)
			}
		})
	}
}

func TestACommandThatIsJoinedIsNotKilled(t *testing.T) {
	p := &processes{breakAfter: never, endless: true}
	ctx, cancel := context.WithCancel(t.Context())
	cmd := sandboxWith(t, p).JoinCommand(ctx, "prc_1", nil)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := cmd.Wait(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	select {
	case <-p.killed:
		t.Error("it was killed")
	default:
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }
