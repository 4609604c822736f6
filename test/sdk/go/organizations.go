package main

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"

	"drydock.dev/drydock"
)

var organizations = map[string]func(*scenario){
	"api-keys": func(s *scenario) {
		tenant := s.tenant(drydock.Quota{})
		made, secret, err := tenant.CreateAPIKey(s.ctx, drydock.NewAPIKey{DisplayName: "ci", Scopes: []string{"executions"}})
		s.ok(err)
		other := s.client(drydock.WithAPIKey(secret))
		s.equal(len(all(s, other.Executions(s.ctx, drydock.ExecutionFilter{}))), 0)
		_, err = other.CreateSandbox(s.ctx, "python")
		s.fails(err, drydock.ErrPermissionDenied)
		keys := all(s, tenant.APIKeys(s.ctx))
		s.that(slices.ContainsFunc(keys, func(key *drydock.APIKey) bool { return key.DisplayName == "ci" }), "the key is listed")
		s.ok(tenant.RevokeAPIKey(s.ctx, made.ID))
		s.eventually(func() bool {
			_, err := collect(other.Executions(s.ctx, drydock.ExecutionFilter{}))
			return errors.Is(err, drydock.ErrUnauthenticated)
		})
	},

	"organizations": func(s *scenario) {
		operator := s.client()
		made, err := operator.CreateOrganization(s.ctx, "made", drydock.Quota{QueueWeight: 200})
		s.ok(err)
		s.equal(made.Organization.DisplayName, "made")
		s.equal(made.Organization.Quota.QueueWeight, int32(200))
		id := made.Organization.ID
		update := drydock.OrganizationUpdate{DisplayName: "changed", Quota: drydock.Quota{QueuedExecutions: 5}}
		changed, err := operator.UpdateOrganization(s.ctx, id, update)
		s.ok(err)
		s.equal(changed.DisplayName, "changed")
		s.equal(changed.Quota.QueueWeight, int32(200))
		s.equal(changed.Quota.QueuedExecutions, int32(5))
		got, err := operator.GetOrganization(s.ctx, id)
		s.ok(err)
		s.equal(got, changed)
		_, err = collect(s.client(drydock.WithAPIKey(made.Secret)).Organizations(s.ctx))
		s.fails(err, drydock.ErrPermissionDenied)
		s.ok(operator.DeleteOrganization(s.ctx, id))
		_, err = operator.GetOrganization(s.ctx, id)
		s.fails(err, drydock.ErrNotFound)
	},

	"webhooks": func(s *scenario) {
		tenant := s.tenant(drydock.Quota{})
		webhook, secret, err := tenant.CreateWebhook(s.ctx, "https://example.com/hook")
		s.ok(err)
		s.that(strings.HasPrefix(secret, "whs_"), "there is a secret")
		s.equal(all(s, tenant.Webhooks(s.ctx)), []*drydock.Webhook{webhook})
		got, err := tenant.GetWebhook(s.ctx, webhook.ID)
		s.ok(err)
		s.equal(got, webhook)
		rotated, err := tenant.RotateWebhookSecret(s.ctx, webhook.ID)
		s.ok(err)
		s.that(rotated.Secret != secret, "the secret is another")
		s.equal(len(all(s, tenant.WebhookDeliveries(s.ctx, webhook.ID))), 0)
		s.ok(tenant.DeleteWebhook(s.ctx, webhook.ID))
		_, err = tenant.GetWebhook(s.ctx, webhook.ID)
		s.fails(err, drydock.ErrNotFound)
		_, _, err = tenant.CreateWebhook(s.ctx, "ftp://example.com")
		s.fails(err, drydock.ErrInvalidArgument)
	},

	"templates": func(s *scenario) {
		client := s.client()
		templates := all(s, client.Templates(s.ctx))
		isPython := func(each *drydock.Template) bool { return each.ID == "python" }
		s.that(slices.ContainsFunc(templates, isPython), "python is a template")
		python, err := client.GetTemplate(s.ctx, "python")
		s.ok(err)
		s.that(python.DefaultLimits.MemoryBytes > 0, "a template has limits")
		s.that(len(all(s, client.Languages(s.ctx))) > 20, "there are languages")
	},
}

func countedSHA1(size int) string {
	hash := sha1.New()
	_, _ = io.Copy(hash, &counted{size: size})
	return hex.EncodeToString(hash.Sum(nil))
}
