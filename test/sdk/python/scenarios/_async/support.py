"""Tenants, and what breaks their connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from drydock import AsyncDrydock, AsyncSandbox, Quota
from scenarios._on_asyncio import control
from scenarios._platform import API_KEY, URL

operator = AsyncDrydock(url=URL, api_key=API_KEY)


@dataclass
class AsyncTenant:
    drydock: AsyncDrydock
    secret: str


@asynccontextmanager
async def open_tenant(
    *, quota: Quota | None = None, url: str = URL, max_retries: int = 10
) -> AsyncIterator[AsyncTenant]:
    """A client of an organisation of its own, whose sandboxes go with it."""
    made = await operator.organizations.create("sdk", quota=quota)
    try:
        async with AsyncDrydock(url=url, api_key=made.secret, max_retries=max_retries) as drydock:
            yield AsyncTenant(drydock, made.secret)
    finally:
        await operator.organizations.delete(made.organization.id)


@asynccontextmanager
async def open_sandbox(*, url: str = URL, max_retries: int = 10) -> AsyncIterator[tuple[AsyncTenant, AsyncSandbox]]:
    """A sandbox of its own tenant, which is reached by `url`."""
    async with open_tenant(url=url, max_retries=max_retries) as tenant:
        yield tenant, await tenant.drydock.sandboxes.create("python", lifetime=300)


class AsyncLent:
    """What the controls lent."""

    def __init__(self, kind: str, answer: dict[str, str]) -> None:
        self.url = answer["url"]
        self.answer = answer
        self._kind = kind

    async def do(self, what: str) -> None:
        await control("POST", f"/{self._kind}/{self.answer['id']}/{what}")


@asynccontextmanager
async def lent(kind: str) -> AsyncIterator[AsyncLent]:
    """`proxies`, `gateways` or `tls-gateways`: one of them."""
    answer = await control("POST", f"/{kind}")
    try:
        yield AsyncLent(kind, answer)
    finally:
        await control("DELETE", f"/lent/{answer['id']}")
