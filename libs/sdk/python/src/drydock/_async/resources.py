"""What sandboxes are made of, and what administers an organisation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from google.protobuf.field_mask_pb2 import FieldMask

from drydock._async.connection import AsyncConnection
from drydock._async.paged import AsyncPaged
from drydock._durations import DEFAULT_REQUEST_TIMEOUT, Duration
from drydock._messages import new_request_id, time_in, to_timestamp
from drydock._records import (
    ApiKey,
    Language,
    NewApiKey,
    NewOrganization,
    NewWebhook,
    Organization,
    Quota,
    Template,
    Webhook,
    WebhookDelivery,
    to_api_key,
    to_delivery,
    to_language,
    to_organization,
    to_quota_message,
    to_template,
    to_webhook,
)
from drydock.v1 import auth_pb2, template_pb2, webhook_pb2


class AsyncTemplates:
    """What sandboxes can be made of, and which languages run."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, template_id: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> Template:
        """Raises NotFoundError."""
        request = template_pb2.GetTemplateRequest(template_id=template_id)
        answer = await self._connection.unary(
            self._connection.stubs.templates.GetTemplate, request, request_timeout=request_timeout
        )
        return to_template(answer.template)

    def list(self, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> AsyncPaged[Template]:
        """Every template, by id."""

        async def fetch(page_token: str) -> tuple[Sequence[Template], str]:
            request = template_pb2.ListTemplatesRequest(page_token=page_token)
            answer = await self._connection.unary(
                self._connection.stubs.templates.ListTemplates, request, request_timeout=request_timeout
            )
            return [to_template(each) for each in answer.templates], answer.next_page_token

        return AsyncPaged(fetch)

    def languages(self, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> AsyncPaged[Language]:
        """Every language, by name."""

        async def fetch(page_token: str) -> tuple[Sequence[Language], str]:
            request = template_pb2.ListLanguagesRequest(page_token=page_token)
            answer = await self._connection.unary(
                self._connection.stubs.templates.ListLanguages, request, request_timeout=request_timeout
            )
            return [to_language(each) for each in answer.languages], answer.next_page_token

        return AsyncPaged(fetch)


class AsyncApiKeys:
    """The organisation's API keys. The credential needs the scope `keys`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(
        self,
        display_name: str,
        *,
        scopes: Sequence[str] = (),
        expire_time: datetime | None = None,
        request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT,
    ) -> NewApiKey:
        """Makes a key with at most the caller's own scopes, which are the default but for `operator`. Its secret is
        shown this once. Raises QuotaExceededError, InvalidArgumentError."""
        request = auth_pb2.CreateApiKeyRequest(
            display_name=display_name,
            scopes=scopes,
            expire_time=to_timestamp("expire_time", expire_time),
            request_id=new_request_id(),
        )
        answer = await self._connection.unary(
            self._connection.stubs.auth.CreateApiKey, request, request_timeout=request_timeout
        )
        return NewApiKey(api_key=to_api_key(answer.api_key), secret=answer.secret)

    def list(self, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> AsyncPaged[ApiKey]:
        """Newest first."""

        async def fetch(page_token: str) -> tuple[Sequence[ApiKey], str]:
            request = auth_pb2.ListApiKeysRequest(page_token=page_token)
            answer = await self._connection.unary(
                self._connection.stubs.auth.ListApiKeys, request, request_timeout=request_timeout
            )
            return [to_api_key(each) for each in answer.api_keys], answer.next_page_token

        return AsyncPaged(fetch)

    async def revoke(
        self,
        api_key_id: str,
        *,
        descendants: bool = False,
        request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT,
    ) -> None:
        """Ends a key with its tokens, and with `descendants` the keys that it made. Raises NotFoundError."""
        request = auth_pb2.RevokeApiKeyRequest(api_key_id=api_key_id, revoke_descendants=descendants)
        await self._connection.unary(self._connection.stubs.auth.RevokeApiKey, request, request_timeout=request_timeout)


class AsyncOrganizations:
    """Organisations. All but `get` of one's own need the scope `operator`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(
        self,
        display_name: str,
        *,
        quota: Quota | None = None,
        request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT,
    ) -> NewOrganization:
        """Makes an organisation and its first API key, whose secret is shown this once."""
        request = auth_pb2.CreateOrganizationRequest(
            display_name=display_name, quota=to_quota_message(quota), request_id=new_request_id()
        )
        answer = await self._connection.unary(
            self._connection.stubs.auth.CreateOrganization, request, request_timeout=request_timeout
        )
        return NewOrganization(
            organization=to_organization(answer.organization),
            api_key=to_api_key(answer.api_key),
            secret=answer.secret,
        )

    async def get(
        self, organization_id: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT
    ) -> Organization:
        """Raises NotFoundError."""
        request = auth_pb2.GetOrganizationRequest(organization_id=organization_id)
        answer = await self._connection.unary(
            self._connection.stubs.auth.GetOrganization, request, request_timeout=request_timeout
        )
        return to_organization(answer.organization)

    def list(self, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> AsyncPaged[Organization]:
        """Newest first."""

        async def fetch(page_token: str) -> tuple[Sequence[Organization], str]:
            request = auth_pb2.ListOrganizationsRequest(page_token=page_token)
            answer = await self._connection.unary(
                self._connection.stubs.auth.ListOrganizations, request, request_timeout=request_timeout
            )
            return [to_organization(each) for each in answer.organizations], answer.next_page_token

        return AsyncPaged(fetch)

    async def update(
        self,
        organization_id: str,
        *,
        display_name: str | None = None,
        quota: Quota | None = None,
        request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT,
    ) -> Organization:
        """What is None stays as it is, also in the quota."""
        paths = [name for name, value in (("display_name", display_name), ("quota", quota)) if value is not None]
        request = auth_pb2.UpdateOrganizationRequest(
            organization_id=organization_id,
            display_name=display_name or "",
            quota=to_quota_message(quota),
            update_mask=FieldMask(paths=paths),
            request_id=new_request_id(),
        )
        answer = await self._connection.unary(
            self._connection.stubs.auth.UpdateOrganization, request, request_timeout=request_timeout
        )
        return to_organization(answer.organization)

    async def delete(self, organization_id: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> None:
        """Revokes its keys at once; its sandboxes and executions end soon after."""
        request = auth_pb2.DeleteOrganizationRequest(organization_id=organization_id, request_id=new_request_id())
        await self._connection.unary(
            self._connection.stubs.auth.DeleteOrganization, request, request_timeout=request_timeout
        )


class AsyncWebhooks:
    """Where the organisation hears of executions of the queue that have ended."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(self, url: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> NewWebhook:
        """The secret that signs deliveries is shown this once. Raises QuotaExceededError, InvalidArgumentError."""
        request = webhook_pb2.CreateWebhookRequest(url=url, request_id=new_request_id())
        answer = await self._connection.unary(
            self._connection.stubs.webhooks.CreateWebhook, request, request_timeout=request_timeout
        )
        return NewWebhook(webhook=to_webhook(answer.webhook), secret=answer.secret)

    async def get(self, webhook_id: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> Webhook:
        """Raises NotFoundError."""
        request = webhook_pb2.GetWebhookRequest(webhook_id=webhook_id)
        answer = await self._connection.unary(
            self._connection.stubs.webhooks.GetWebhook, request, request_timeout=request_timeout
        )
        return to_webhook(answer.webhook)

    def list(self, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> AsyncPaged[Webhook]:
        """Newest first."""

        async def fetch(page_token: str) -> tuple[Sequence[Webhook], str]:
            request = webhook_pb2.ListWebhooksRequest(page_token=page_token)
            answer = await self._connection.unary(
                self._connection.stubs.webhooks.ListWebhooks, request, request_timeout=request_timeout
            )
            return [to_webhook(each) for each in answer.webhooks], answer.next_page_token

        return AsyncPaged(fetch)

    async def delete(self, webhook_id: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> None:
        """Deletes a webhook with its deliveries. Raises NotFoundError."""
        request = webhook_pb2.DeleteWebhookRequest(webhook_id=webhook_id)
        await self._connection.unary(
            self._connection.stubs.webhooks.DeleteWebhook, request, request_timeout=request_timeout, repeatable=False
        )

    async def rotate_secret(
        self, webhook_id: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT
    ) -> NewWebhook:
        """Makes a new secret; the one before signs too until `old_secret_expire_time`."""
        request = webhook_pb2.RotateWebhookSecretRequest(webhook_id=webhook_id)
        answer = await self._connection.unary(
            self._connection.stubs.webhooks.RotateWebhookSecret,
            request,
            request_timeout=request_timeout,
            repeatable=False,
        )
        return NewWebhook(
            webhook=to_webhook(answer.webhook),
            secret=answer.secret,
            old_secret_expire_time=time_in(answer, "old_secret_expire_time"),
        )

    def deliveries(
        self, webhook_id: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT
    ) -> AsyncPaged[WebhookDelivery]:
        """Newest first."""

        async def fetch(page_token: str) -> tuple[Sequence[WebhookDelivery], str]:
            request = webhook_pb2.ListWebhookDeliveriesRequest(webhook_id=webhook_id, page_token=page_token)
            answer = await self._connection.unary(
                self._connection.stubs.webhooks.ListWebhookDeliveries, request, request_timeout=request_timeout
            )
            return [to_delivery(each) for each in answer.deliveries], answer.next_page_token

        return AsyncPaged(fetch)

    async def redeliver(
        self, webhook_id: str, delivery_id: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT
    ) -> WebhookDelivery:
        """Sends a delivery again, whether it arrived or not."""
        request = webhook_pb2.RedeliverWebhookRequest(webhook_id=webhook_id, delivery_id=delivery_id)
        answer = await self._connection.unary(
            self._connection.stubs.webhooks.RedeliverWebhook,
            request,
            request_timeout=request_timeout,
            repeatable=False,
        )
        return to_delivery(answer.delivery)
