package drydock

import (
	"context"
	"iter"
	"time"

	drydockv1 "drydock.dev/drydock/v1"
)

// APIKey describes a key; never its secret.
type APIKey struct {
	// ID is key_ and 26 characters.
	ID          string
	DisplayName string
	Scopes      []string
	CreateTime  time.Time
	// RevokeTime is zero until it is revoked.
	RevokeTime time.Time
	// CreatorAPIKeyID is the key that made it, or the nearest before that which is still listed.
	CreatorAPIKeyID string
	// ExpireTime is zero for a key that does not expire.
	ExpireTime time.Time
}

func toAPIKey(m *drydockv1.ApiKey) *APIKey {
	return &APIKey{
		ID:              m.GetId(),
		DisplayName:     m.GetDisplayName(),
		Scopes:          m.GetScopes(),
		CreateTime:      toTime(m.GetCreateTime()),
		RevokeTime:      toTime(m.GetRevokeTime()),
		CreatorAPIKeyID: m.GetCreatorApiKeyId(),
		ExpireTime:      toTime(m.GetExpireTime()),
	}
}

// NewAPIKey says what a key is to be.
type NewAPIKey struct {
	// DisplayName is required, to 128 characters.
	DisplayName string
	// Scopes default to the caller's own, but for operator.
	Scopes []string
	// ExpireTime, not after that of the caller's own key. Default: that one, if it has any.
	ExpireTime time.Time
}

// CreateAPIKey makes a key with at most the caller's own scopes. Its secret is shown this once. Scope: keys. Fails with
// ErrInvalidArgument, ErrQuotaExceeded.
func (c *Client) CreateAPIKey(ctx context.Context, key NewAPIKey) (made *APIKey, secret string, err error) {
	request := &drydockv1.CreateApiKeyRequest{
		DisplayName: key.DisplayName,
		Scopes:      key.Scopes,
		ExpireTime:  timeMessage(key.ExpireTime),
		RequestId:   newRequestID(),
	}
	answer, err := call(ctx, c.connection, repeatable, c.connection.auth.CreateApiKey, request)
	if err != nil {
		return nil, "", err
	}
	return toAPIKey(answer.GetApiKey()), answer.GetSecret(), nil
}

// APIKeys lists those of the organisation, newest first. Scope: keys.
func (c *Client) APIKeys(ctx context.Context) iter.Seq2[*APIKey, error] {
	return pages(func(pageToken string) ([]*APIKey, string, error) {
		request := &drydockv1.ListApiKeysRequest{PageToken: pageToken}
		answer, err := call(ctx, c.connection, repeatable, c.connection.auth.ListApiKeys, request)
		if err != nil {
			return nil, "", err
		}
		return converted(answer.GetApiKeys(), toAPIKey), answer.GetNextPageToken(), nil
	})
}

// RevokeAPIKey ends a key with its tokens. Scope: keys. Fails with ErrNotFound.
func (c *Client) RevokeAPIKey(ctx context.Context, id string) error {
	return c.revoke(ctx, &drydockv1.RevokeApiKeyRequest{ApiKeyId: id})
}

// RevokeAPIKeyTree ends a key, the keys that it made, those that these made, and so on. As RevokeAPIKey.
func (c *Client) RevokeAPIKeyTree(ctx context.Context, id string) error {
	return c.revoke(ctx, &drydockv1.RevokeApiKeyRequest{ApiKeyId: id, RevokeDescendants: true})
}

func (c *Client) revoke(ctx context.Context, request *drydockv1.RevokeApiKeyRequest) error {
	_, err := call(ctx, c.connection, repeatable, c.connection.auth.RevokeApiKey, request)
	return err
}
