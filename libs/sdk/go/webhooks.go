package drydock

import (
	"context"
	"iter"
	"time"

	drydockv1 "drydock.dev/drydock/v1"
)

// Webhook is where an organisation hears of executions of the queue that have ended.
type Webhook struct {
	// ID is whk_ and 26 characters.
	ID         string
	URL        string
	CreateTime time.Time
}

func toWebhook(m *drydockv1.Webhook) *Webhook {
	return &Webhook{ID: m.GetId(), URL: m.GetUrl(), CreateTime: toTime(m.GetCreateTime())}
}

// DeliveryState is where a delivery is.
type DeliveryState string

const (
	// DeliveryPending: it is being sent, or will be.
	DeliveryPending   DeliveryState = "PENDING"
	DeliveryDelivered DeliveryState = "DELIVERED"
	// DeliveryFailed: every try failed.
	DeliveryFailed DeliveryState = "FAILED"
)

// WebhookDelivery is one execution's end, told to one webhook.
type WebhookDelivery struct {
	// ID is dlv_ and 26 characters.
	ID          string
	ExecutionID string
	State       DeliveryState
	// Attempts counts how many times it was sent.
	Attempts int
	// LastStatusCode of HTTP; 0 where there was no answer.
	LastStatusCode int
	// LastError says why the last try failed; empty where it did not.
	LastError       string
	CreateTime      time.Time
	LastAttemptTime time.Time
	// NextAttemptTime is zero while it is being sent, and once it is over.
	NextAttemptTime time.Time
}

func toWebhookDelivery(m *drydockv1.WebhookDelivery) *WebhookDelivery {
	return &WebhookDelivery{
		ID:              m.GetId(),
		ExecutionID:     m.GetExecutionId(),
		State:           enum[DeliveryState](m.GetState(), int32(m.GetState())),
		Attempts:        int(m.GetAttempts()),
		LastStatusCode:  int(m.GetLastStatusCode()),
		LastError:       m.GetLastError(),
		CreateTime:      toTime(m.GetCreateTime()),
		LastAttemptTime: toTime(m.GetLastAttemptTime()),
		NextAttemptTime: toTime(m.GetNextAttemptTime()),
	}
}

// CreateWebhook makes a webhook. The secret that signs deliveries is shown this once. Fails with ErrInvalidArgument,
// ErrQuotaExceeded.
func (c *Client) CreateWebhook(ctx context.Context, url string) (webhook *Webhook, secret string, err error) {
	request := &drydockv1.CreateWebhookRequest{Url: url, RequestId: newRequestID()}
	answer, err := call(ctx, c.connection, repeatable, c.connection.webhooks.CreateWebhook, request)
	if err != nil {
		return nil, "", err
	}
	return toWebhook(answer.GetWebhook()), answer.GetSecret(), nil
}

// GetWebhook fails with ErrNotFound.
func (c *Client) GetWebhook(ctx context.Context, id string) (*Webhook, error) {
	request := &drydockv1.GetWebhookRequest{WebhookId: id}
	answer, err := call(ctx, c.connection, repeatable, c.connection.webhooks.GetWebhook, request)
	if err != nil {
		return nil, err
	}
	return toWebhook(answer.GetWebhook()), nil
}

// Webhooks lists those of the organisation, newest first.
func (c *Client) Webhooks(ctx context.Context) iter.Seq2[*Webhook, error] {
	return pages(func(pageToken string) ([]*Webhook, string, error) {
		request := &drydockv1.ListWebhooksRequest{PageToken: pageToken}
		answer, err := call(ctx, c.connection, repeatable, c.connection.webhooks.ListWebhooks, request)
		if err != nil {
			return nil, "", err
		}
		return converted(answer.GetWebhooks(), toWebhook), answer.GetNextPageToken(), nil
	})
}

// DeleteWebhook deletes a webhook with its deliveries. Fails with ErrNotFound.
func (c *Client) DeleteWebhook(ctx context.Context, id string) error {
	request := &drydockv1.DeleteWebhookRequest{WebhookId: id}
	_, err := call(ctx, c.connection, single, c.connection.webhooks.DeleteWebhook, request)
	return err
}

// RotatedSecret signs at once.
type RotatedSecret struct {
	Webhook *Webhook
	// Secret is shown this once.
	Secret string
	// OldSecretExpireTime is until when the one before it signs too.
	OldSecretExpireTime time.Time
}

// RotateWebhookSecret makes a new secret. Fails with ErrNotFound.
func (c *Client) RotateWebhookSecret(ctx context.Context, id string) (*RotatedSecret, error) {
	request := &drydockv1.RotateWebhookSecretRequest{WebhookId: id}
	answer, err := call(ctx, c.connection, single, c.connection.webhooks.RotateWebhookSecret, request)
	if err != nil {
		return nil, err
	}
	return &RotatedSecret{toWebhook(answer.GetWebhook()), answer.GetSecret(), toTime(answer.GetOldSecretExpireTime())}, nil
}

// WebhookDeliveries lists what became of a webhook's deliveries, newest first. Fails with ErrNotFound.
func (c *Client) WebhookDeliveries(ctx context.Context, id string) iter.Seq2[*WebhookDelivery, error] {
	return pages(func(pageToken string) ([]*WebhookDelivery, string, error) {
		request := &drydockv1.ListWebhookDeliveriesRequest{WebhookId: id, PageToken: pageToken}
		answer, err := call(ctx, c.connection, repeatable, c.connection.webhooks.ListWebhookDeliveries, request)
		if err != nil {
			return nil, "", err
		}
		return converted(answer.GetDeliveries(), toWebhookDelivery), answer.GetNextPageToken(), nil
	})
}

// RedeliverWebhook sends a delivery again, whether it arrived or not. Fails with ErrNotFound.
func (c *Client) RedeliverWebhook(ctx context.Context, id, deliveryID string) (*WebhookDelivery, error) {
	request := &drydockv1.RedeliverWebhookRequest{WebhookId: id, DeliveryId: deliveryID}
	answer, err := call(ctx, c.connection, single, c.connection.webhooks.RedeliverWebhook, request)
	if err != nil {
		return nil, err
	}
	return toWebhookDelivery(answer.GetDelivery()), nil
}
