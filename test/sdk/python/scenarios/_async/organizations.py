"""What administers an organisation."""

from __future__ import annotations

from drydock import (
    AsyncDrydock,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    Quota,
    UnauthenticatedError,
)
from scenarios._async.support import open_tenant, operator
from scenarios._on_asyncio import Scenario, eventually
from scenarios._platform import URL, raises


async def api_keys() -> None:
    async with open_tenant() as tenant:
        keys = tenant.drydock.api_keys
        made = await keys.create("ci", scopes=["executions"])
        async with AsyncDrydock(url=URL, api_key=made.secret) as other:
            assert await other.executions.list().to_list() == []
            with raises(PermissionDeniedError):
                await other.sandboxes.create("python")
            assert "ci" in [key.display_name async for key in keys.list()]
            await keys.revoke(made.api_key.id)

            async def is_refused() -> bool:
                try:
                    await other.executions.list().to_list()
                except UnauthenticatedError:
                    return True
                return False

            await eventually(is_refused)


async def organizations() -> None:
    made = await operator.organizations.create("made", quota=Quota(queue_weight=200))
    organization = made.organization
    assert (organization.display_name, organization.quota.queue_weight) == ("made", 200)
    changed = await operator.organizations.update(
        organization.id, display_name="changed", quota=Quota(queued_executions=5)
    )
    assert changed.display_name == "changed"
    assert (changed.quota.queue_weight, changed.quota.queued_executions) == (200, 5)
    assert await operator.organizations.get(organization.id) == changed
    async with AsyncDrydock(url=URL, api_key=made.secret) as own:
        with raises(PermissionDeniedError):
            await own.organizations.list().to_list()
    await operator.organizations.delete(organization.id)
    with raises(NotFoundError):
        await operator.organizations.get(organization.id)


async def webhooks() -> None:
    async with open_tenant() as tenant:
        hooks = tenant.drydock.webhooks
        made = await hooks.create("https://example.com/hook")
        assert made.secret.startswith("whs_")
        assert await hooks.list().to_list() == [made.webhook]
        assert await hooks.get(made.webhook.id) == made.webhook
        rotated = await hooks.rotate_secret(made.webhook.id)
        assert rotated.secret != made.secret
        assert rotated.old_secret_expire_time is not None
        assert await hooks.deliveries(made.webhook.id).to_list() == []
        await hooks.delete(made.webhook.id)
        with raises(NotFoundError):
            await hooks.get(made.webhook.id)
        with raises(InvalidArgumentError):
            await hooks.create("ftp://example.com")


async def templates() -> None:
    assert "python" in [template.id async for template in operator.templates.list()]
    assert (await operator.templates.get("python")).default_limits.memory_bytes
    assert len(await operator.templates.languages().to_list()) > 20


SCENARIOS: dict[str, Scenario] = {
    "api-keys": api_keys,
    "organizations": organizations,
    "webhooks": webhooks,
    "templates": templates,
}
