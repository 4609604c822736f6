"""How a client finds the platform, and what it says where it does not."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta, timezone
from typing import Any, cast

from drydock import (
    AsyncDrydock,
    InvalidArgumentError,
    ResourceLimits,
    TimeoutError,
    UnauthenticatedError,
    UnavailableError,
)
from scenarios._async.support import lent, open_tenant, operator
from scenarios._on_asyncio import HELLO, Scenario, eventually, run_python
from scenarios._platform import API_KEY, URL, other_server, raises, write_profiles


async def client_from_environment() -> None:
    assert await run_python(HELLO, {"DRYDOCK_URL": URL, "DRYDOCK_API_KEY": API_KEY}) == "42"


async def client_from_profile() -> None:
    with tempfile.TemporaryDirectory() as home:
        write_profiles(home)
        assert await run_python(HELLO, {"HOME": home, "DRYDOCK_PROFILE": "test"}) == "42"
        with raises(RuntimeError, "has no profile 'other'"):
            await run_python(HELLO, {"HOME": home, "DRYDOCK_PROFILE": "other"})


async def no_key() -> None:
    with raises(RuntimeError, "no API key: set DRYDOCK_API_KEY"):
        await run_python(HELLO, {"DRYDOCK_URL": URL})


async def wrong_key() -> None:
    async with AsyncDrydock(url=URL, api_key="dk_" + "x" * 43) as drydock:
        with raises(UnauthenticatedError) as raised:
            await drydock.run("python", "")
    assert raised.error.reason == "CREDENTIAL_INVALID"


async def expired_key() -> None:
    async with open_tenant() as tenant:
        expire_time = datetime.now(timezone.utc) + timedelta(seconds=3)
        made = await tenant.drydock.api_keys.create("short", expire_time=expire_time, scopes=["executions"])
        async with AsyncDrydock(url=URL, api_key=made.secret) as drydock:
            assert await drydock.executions.list().to_list() == []

            async def is_refused() -> bool:
                try:
                    await drydock.executions.list().to_list()
                except UnauthenticatedError:
                    return True
                return False

            await eventually(is_refused)


async def wrong_url() -> None:
    async with AsyncDrydock(url="http://127.0.0.1:1", api_key=API_KEY, max_retries=1) as drydock:
        with raises(UnavailableError, r"^http://127\.0\.0\.1:1 cannot be reached: "):
            await drydock.run("python", "")
    for url in ("127.0.0.1:8080", "ftp://127.0.0.1", "http://127.0.0.1/v1", "http://127.0.0.1:port"):
        with raises(InvalidArgumentError, "the URL of the platform is such as"):
            AsyncDrydock(url=url, api_key=API_KEY)


async def not_drydock() -> None:
    with other_server() as url:
        async with AsyncDrydock(url=url, api_key=API_KEY, max_retries=1) as drydock:
            with raises(UnavailableError, url):
                await drydock.run("python", "")


async def tls() -> None:
    async with lent("tls-gateways") as gateway:

        async def hello(url: str, ca: str | None = None) -> str:
            async with AsyncDrydock(url=url, ca=ca, api_key=API_KEY, max_retries=1) as drydock:
                return (await drydock.run("python", "print(42)")).stdout

        ca = gateway.answer["ca"]
        assert await hello(gateway.url, ca) == "42\n"
        with raises(UnavailableError, "cannot be reached: .*(?i:certificate)"):
            await hello(gateway.url)
        with raises(UnavailableError, "cannot be reached: .*(Hostname Verification|in peer certificate)"):
            await hello(gateway.answer["otherHostUrl"], ca)
        with raises(UnavailableError):
            await hello(gateway.answer["httpUrl"])


async def unknown_option() -> None:
    # As a program without type checks would do.
    loose = cast(Any, operator)
    limits = cast(Any, ResourceLimits)
    with raises(TypeError, "stdinn"):
        await loose.run("python", "", stdinn="")
    with raises(TypeError, "lifetime_seconds"):
        await loose.sandboxes.create("python", lifetime_seconds=1)
    with raises(TypeError, "memory"):
        await loose.sandboxes.create("python", limits=limits(memory=1))
    for lifetime in (0, -1, float("nan"), "soon"):
        with raises(InvalidArgumentError, "^lifetime ") as raised:
            await loose.sandboxes.create("python", lifetime=lifetime)
        assert raised.error.field_violations[0].field == "lifetime"
    with raises(InvalidArgumentError, "comparison is one of"):
        await loose.run("python", "", comparison="ROUGH")


async def request_ids() -> None:
    with raises(InvalidArgumentError) as raised:
        await operator.run("python", "x", limits=ResourceLimits(processes=1))
    error = raised.error
    assert error.reason == "INVALID_FIELD"
    assert error.request_id is not None
    assert error.request_id.startswith("req_")
    (violation,) = error.field_violations
    assert "processes" in violation.field
    assert violation.description


async def request_timeout() -> None:
    async with lent("proxies") as proxy, open_tenant(url=proxy.url) as tenant:
        await tenant.drydock.templates.list().to_list()
        with raises(TimeoutError):
            await tenant.drydock.run("python", "import time; time.sleep(20)", request_timeout=0.5)


SCENARIOS: dict[str, Scenario] = {
    "client-from-environment": client_from_environment,
    "client-from-profile": client_from_profile,
    "no-key": no_key,
    "wrong-key": wrong_key,
    "expired-key": expired_key,
    "wrong-url": wrong_url,
    "not-drydock": not_drydock,
    "tls": tls,
    "unknown-option": unknown_option,
    "request-ids": request_ids,
    "request-timeout": request_timeout,
}
