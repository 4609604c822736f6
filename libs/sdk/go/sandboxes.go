package drydock

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	drydockv1 "drydock.dev/drydock/v1"
)

// SandboxState is where a sandbox is.
type SandboxState string

const (
	SandboxPending SandboxState = "PENDING"
	SandboxRunning SandboxState = "RUNNING"
	SandboxPaused  SandboxState = "PAUSED"
	SandboxStopped SandboxState = "STOPPED"
)

// SandboxInfo describes a sandbox, running or stopped.
type SandboxInfo struct {
	// ID is sbx_ and 26 characters.
	ID       string
	Template string
	State    SandboxState
	// StopReason is set once it has stopped, such as EXPIRED.
	StopReason string
	// Limits has every limit, as applied.
	Limits   Limits
	Metadata Metadata
	// CreateTime and those below are zero until they are known.
	CreateTime time.Time
	StartTime  time.Time
	// ExpireTime is when it is destroyed unless its lifetime is extended.
	ExpireTime time.Time
	StopTime   time.Time
}

// SandboxOption of Client.CreateSandbox: a Lifetime, Limits, Environment, Metadata or Keep.
type SandboxOption interface {
	create(*drydockv1.CreateSandboxRequest, *Sandbox)
}

// SandboxUpdate of Sandbox.Update: a Lifetime or Metadata.
type SandboxUpdate interface {
	update(*drydockv1.UpdateSandboxRequest)
}

type (
	// Lifetime is how long a sandbox may live, 1 s to 24 h. Default 5 minutes. In an update it is counted anew from now.
	Lifetime time.Duration
	// Environment has variables of every command. At most 128, names [A-Za-z_][A-Za-z0-9_]*, 32 KiB in all.
	Environment map[string]string
	// Metadata are labels of your own, to find a sandbox by. At most 32, keys to 64 and values to 256 characters. In an update it
	// replaces all labels.
	Metadata map[string]string
	// Keep lets Sandbox.Close leave the sandbox alone.
	Keep bool
)

func (l Lifetime) create(r *drydockv1.CreateSandboxRequest, _ *Sandbox) {
	r.Lifetime = durationpb.New(time.Duration(l))
}
func (l Limits) create(r *drydockv1.CreateSandboxRequest, _ *Sandbox)      { r.Limits = l.message() }
func (e Environment) create(r *drydockv1.CreateSandboxRequest, _ *Sandbox) { r.Environment = e }
func (m Metadata) create(r *drydockv1.CreateSandboxRequest, _ *Sandbox)    { r.Metadata = m }
func (k Keep) create(_ *drydockv1.CreateSandboxRequest, s *Sandbox)        { s.keep = bool(k) }

func (l Lifetime) update(r *drydockv1.UpdateSandboxRequest) {
	r.Lifetime = durationpb.New(time.Duration(l))
	r.UpdateMask.Paths = append(r.UpdateMask.Paths, "lifetime")
}

func (m Metadata) update(r *drydockv1.UpdateSandboxRequest) {
	r.Metadata = m
	r.UpdateMask.Paths = append(r.UpdateMask.Paths, "metadata")
}

// Sandbox is one that runs, or ran when it was made or connected. It is safe for concurrent use.
type Sandbox struct {
	ID         string
	connection *connection
	keep       bool

	mutex sync.Mutex
	info  SandboxInfo
}

// CreateSandbox makes a sandbox of a template and answers when it runs. Fails with ErrNotFound (TEMPLATE_NOT_FOUND),
// ErrInvalidArgument, ErrQuotaExceeded, ErrNoCapacity.
func (c *Client) CreateSandbox(ctx context.Context, template string, options ...SandboxOption) (*Sandbox, error) {
	request := &drydockv1.CreateSandboxRequest{Template: template, RequestId: newRequestID()}
	sandbox := &Sandbox{connection: c.connection}
	for _, option := range options {
		option.create(request, sandbox)
	}
	answer, err := call(ctx, c.connection, repeatable, c.connection.sandboxes.CreateSandbox, request)
	if err != nil {
		return nil, err
	}
	sandbox.info = toSandboxInfo(answer.GetSandbox())
	sandbox.ID = sandbox.info.ID
	return sandbox, nil
}

// ConnectSandbox finds a sandbox that runs already; Sandbox.Close leaves it alone. Fails with ErrNotFound, ErrSandboxNotRunning.
func (c *Client) ConnectSandbox(ctx context.Context, id string) (*Sandbox, error) {
	info, err := c.GetSandbox(ctx, id)
	if err != nil {
		return nil, err
	}
	if info.State == SandboxStopped {
		return nil, &Error{
			Reason:   "SANDBOX_NOT_RUNNING",
			Message:  fmt.Sprintf("the sandbox %s has stopped (%s)", id, info.StopReason),
			Metadata: map[string]string{"state": string(info.State), "stop_reason": info.StopReason},
			kind:     ErrSandboxNotRunning,
		}
	}
	return &Sandbox{ID: id, connection: c.connection, keep: true, info: *info}, nil
}

// GetSandbox describes a sandbox, running or stopped. Fails with ErrNotFound.
func (c *Client) GetSandbox(ctx context.Context, id string) (*SandboxInfo, error) {
	request := &drydockv1.GetSandboxRequest{SandboxId: id}
	answer, err := call(ctx, c.connection, repeatable, c.connection.sandboxes.GetSandbox, request)
	if err != nil {
		return nil, err
	}
	info := toSandboxInfo(answer.GetSandbox())
	return &info, nil
}

// SandboxFilter says which sandboxes are listed.
type SandboxFilter struct {
	// States default to all.
	States []SandboxState
	// Metadata are labels that a sandbox has, all of them.
	Metadata Metadata
}

// Sandboxes lists those of the organisation, newest first.
func (c *Client) Sandboxes(ctx context.Context, filter SandboxFilter) iter.Seq2[*SandboxInfo, error] {
	return pages(func(pageToken string) ([]*SandboxInfo, string, error) {
		request := &drydockv1.ListSandboxesRequest{PageToken: pageToken}
		for _, state := range filter.States {
			value, known := drydockv1.Sandbox_State_value[string(state)]
			if !known {
				return nil, "", invalid("there is no state %q", state)
			}
			request.States = append(request.States, drydockv1.Sandbox_State(value))
		}
		for _, key := range slices.Sorted(maps.Keys(filter.Metadata)) {
			request.MetadataFilters = append(request.MetadataFilters, key+"="+filter.Metadata[key])
		}
		answer, err := call(ctx, c.connection, repeatable, c.connection.sandboxes.ListSandboxes, request)
		if err != nil {
			return nil, "", err
		}
		infos := converted(answer.GetSandboxes(), func(m *drydockv1.Sandbox) *SandboxInfo {
			info := toSandboxInfo(m)
			return &info
		})
		return infos, answer.GetNextPageToken(), nil
	})
}

// Info is how it was told of last: by CreateSandbox, ConnectSandbox, Refresh or Update.
func (s *Sandbox) Info() SandboxInfo {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.info
}

func (s *Sandbox) told(m *drydockv1.Sandbox) SandboxInfo {
	info := toSandboxInfo(m)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.info = info
	return info
}

// Refresh asks how it is now.
func (s *Sandbox) Refresh(ctx context.Context) (SandboxInfo, error) {
	request := &drydockv1.GetSandboxRequest{SandboxId: s.ID}
	answer, err := call(ctx, s.connection, repeatable, s.connection.sandboxes.GetSandbox, request)
	if err != nil {
		return SandboxInfo{}, err
	}
	return s.told(answer.GetSandbox()), nil
}

// Update changes its lifetime, its labels, or both. Fails with ErrSandboxNotRunning, ErrInvalidArgument.
func (s *Sandbox) Update(ctx context.Context, updates ...SandboxUpdate) (SandboxInfo, error) {
	request := &drydockv1.UpdateSandboxRequest{
		SandboxId: s.ID, UpdateMask: &fieldmaskpb.FieldMask{}, RequestId: newRequestID(),
	}
	for _, each := range updates {
		each.update(request)
	}
	answer, err := call(ctx, s.connection, repeatable, s.connection.sandboxes.UpdateSandbox, request)
	if err != nil {
		return SandboxInfo{}, err
	}
	return s.told(answer.GetSandbox()), nil
}

// Kill deletes it with everything in it. Tells whether it existed; that it has stopped already is no error.
func (s *Sandbox) Kill(ctx context.Context) (existed bool, err error) {
	request := &drydockv1.DeleteSandboxRequest{SandboxId: s.ID, RequestId: newRequestID()}
	_, err = call(ctx, s.connection, repeatable, s.connection.sandboxes.DeleteSandbox, request)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Close deletes it, for a defer, unless it was made with Keep or by ConnectSandbox. It takes at most 60 s.
func (s *Sandbox) Close() error {
	if s.keep {
		return nil
	}
	_, err := s.Kill(s.connection.closed)
	return err
}

func toSandboxInfo(m *drydockv1.Sandbox) SandboxInfo {
	return SandboxInfo{
		ID:         m.GetId(),
		Template:   m.GetTemplate(),
		State:      enum[SandboxState](m.GetState(), int32(m.GetState())),
		StopReason: enum[string](m.GetStopReason(), int32(m.GetStopReason())),
		Limits:     toLimits(m.GetLimits()),
		Metadata:   m.GetMetadata(),
		CreateTime: toTime(m.GetCreateTime()),
		StartTime:  toTime(m.GetStartTime()),
		ExpireTime: toTime(m.GetExpireTime()),
		StopTime:   toTime(m.GetStopTime()),
	}
}
