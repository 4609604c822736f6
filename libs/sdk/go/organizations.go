package drydock

import (
	"context"
	"iter"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	drydockv1 "drydock.dev/drydock/v1"
)

// Organization has sandboxes, executions, API keys and webhooks of its own.
type Organization struct {
	// ID is org_ and 26 characters.
	ID          string
	DisplayName string
	Quota       Quota
	CreateTime  time.Time
}

// Quota is what an organisation may have at one time. What is zero is the default, or in an update stays as it is; nothing means no
// limit.
type Quota struct {
	// ConcurrentSandboxes and executions that are waited for, together. 1 to 100,000; default 100.
	ConcurrentSandboxes int32
	// ConcurrentExecutions of the queue that run at one time. 1 to 10,000; default 16.
	ConcurrentExecutions int32
	// QueuedExecutions that wait in the queue. 1 to 10,000,000; default 100,000.
	QueuedExecutions int32
	// QueueWeight is the share of the platform while others have work too. 1 to 10,000; default 100.
	QueueWeight int32
	// SharedPool: sandboxes may come from the warm pool that organisations share. Default true.
	SharedPool *bool
}

func (q Quota) message() *drydockv1.Quota {
	if q == (Quota{}) {
		return nil
	}
	return &drydockv1.Quota{
		ConcurrentSandboxes:  optional(q.ConcurrentSandboxes),
		ConcurrentExecutions: optional(q.ConcurrentExecutions),
		QueuedExecutions:     optional(q.QueuedExecutions),
		QueueWeight:          optional(q.QueueWeight),
		SharedPool:           q.SharedPool,
	}
}

func toOrganization(m *drydockv1.Organization) *Organization {
	quota := m.GetQuota()
	o := &Organization{ID: m.GetId(), DisplayName: m.GetDisplayName(), CreateTime: toTime(m.GetCreateTime())}
	o.Quota = Quota{
		ConcurrentSandboxes:  quota.GetConcurrentSandboxes(),
		ConcurrentExecutions: quota.GetConcurrentExecutions(),
		QueuedExecutions:     quota.GetQueuedExecutions(),
		QueueWeight:          quota.GetQueueWeight(),
	}
	if quota != nil {
		o.Quota.SharedPool = quota.SharedPool
	}
	return o
}

// NewOrganization is an organisation with its first API key, whose Secret is shown this once.
type NewOrganization struct {
	Organization *Organization
	APIKey       *APIKey
	Secret       string
}

// CreateOrganization makes an organisation and its first API key. Scope: operator.
func (c *Client) CreateOrganization(ctx context.Context, displayName string, quota Quota) (*NewOrganization, error) {
	request := &drydockv1.CreateOrganizationRequest{DisplayName: displayName, Quota: quota.message(), RequestId: newRequestID()}
	answer, err := call(ctx, c.connection, repeatable, c.connection.auth.CreateOrganization, request)
	if err != nil {
		return nil, err
	}
	return &NewOrganization{toOrganization(answer.GetOrganization()), toAPIKey(answer.GetApiKey()), answer.GetSecret()}, nil
}

// GetOrganization describes the caller's own organisation, or with the scope operator any. Fails with ErrNotFound.
func (c *Client) GetOrganization(ctx context.Context, id string) (*Organization, error) {
	request := &drydockv1.GetOrganizationRequest{OrganizationId: id}
	answer, err := call(ctx, c.connection, repeatable, c.connection.auth.GetOrganization, request)
	if err != nil {
		return nil, err
	}
	return toOrganization(answer.GetOrganization()), nil
}

// Organizations lists all, newest first. Scope: operator.
func (c *Client) Organizations(ctx context.Context) iter.Seq2[*Organization, error] {
	return pages(func(pageToken string) ([]*Organization, string, error) {
		request := &drydockv1.ListOrganizationsRequest{PageToken: pageToken}
		answer, err := call(ctx, c.connection, repeatable, c.connection.auth.ListOrganizations, request)
		if err != nil {
			return nil, "", err
		}
		return converted(answer.GetOrganizations(), toOrganization), answer.GetNextPageToken(), nil
	})
}

// OrganizationUpdate says what of an organisation changes: what is zero stays as it is.
type OrganizationUpdate struct {
	DisplayName string
	Quota       Quota
}

// UpdateOrganization changes an organisation. Scope: operator. Fails with ErrNotFound, ErrInvalidArgument.
func (c *Client) UpdateOrganization(ctx context.Context, id string, update OrganizationUpdate) (*Organization, error) {
	request := &drydockv1.UpdateOrganizationRequest{
		OrganizationId: id,
		DisplayName:    update.DisplayName,
		Quota:          update.Quota.message(),
		UpdateMask:     &fieldmaskpb.FieldMask{},
		RequestId:      newRequestID(),
	}
	if update.DisplayName != "" {
		request.UpdateMask.Paths = append(request.UpdateMask.Paths, "display_name")
	}
	if request.Quota != nil {
		request.UpdateMask.Paths = append(request.UpdateMask.Paths, "quota")
	}
	answer, err := call(ctx, c.connection, repeatable, c.connection.auth.UpdateOrganization, request)
	if err != nil {
		return nil, err
	}
	return toOrganization(answer.GetOrganization()), nil
}

// DeleteOrganization revokes its keys at once; what it has ends soon after. Scope: operator. Fails with ErrNotFound.
func (c *Client) DeleteOrganization(ctx context.Context, id string) error {
	request := &drydockv1.DeleteOrganizationRequest{OrganizationId: id, RequestId: newRequestID()}
	_, err := call(ctx, c.connection, repeatable, c.connection.auth.DeleteOrganization, request)
	return err
}
