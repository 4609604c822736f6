"""What scenarios of asyncio are made of. `_on_threads` has the same names."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeAlias, TypeVar

from drydock import AsyncDrydock, Program
from scenarios._platform import AT_ONE_TIME, LONGEST_SECONDS, SLEEP, URL, raises, send, tell_end

T = TypeVar("T")

Scenario: TypeAlias = Callable[[], Awaitable[None]]

HELLO = """
import asyncio
from drydock import AsyncDrydock

async def main():
    async with AsyncDrydock() as drydock:
        print((await drydock.run("python", "print(42)")).stdout, end="")

asyncio.run(main())
"""
IN_TIME = """
import asyncio, sys
from drydock import AsyncSandbox

async def main():
    sandbox = await AsyncSandbox.connect(sys.argv[1])
    print((await sandbox.commands.run("echo in time", timeout=3600)).stdout, end="")

asyncio.run(main())
"""


def run_all(scenarios: Mapping[str, Scenario]) -> None:
    places = asyncio.Semaphore(AT_ONE_TIME)

    async def run(name: str, scenario: Scenario) -> None:
        async with places:
            began = time.monotonic()
            error: BaseException | None = None
            try:
                await asyncio.wait_for(scenario(), LONGEST_SECONDS)
            except Exception as raised:
                error = raised
            tell_end(name, began, error)

    async def main() -> None:
        await asyncio.gather(*(run(name, scenario) for name, scenario in scenarios.items()))

    asyncio.run(main())


async def control(method: str, path: str) -> dict[str, Any]:
    return await asyncio.to_thread(send, method, path)


async def sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def gather(*works: Callable[[], Coroutine[Any, Any, T]]) -> list[T]:
    return await asyncio.gather(*(work() for work in works))


class Spawned:
    def __init__(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._task = asyncio.create_task(work())

    async def wait(self) -> Any:
        return await self._task


async def eventually(check: Callable[[], Coroutine[Any, Any, bool]], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not await check():
        assert time.monotonic() < until, f"{check.__qualname__} does not come true"
        await asyncio.sleep(0.1)


async def run_python(source: str, environment: Mapping[str, str], *arguments: str) -> str:
    """Its standard output; raises RuntimeError with its standard error where it fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        source,
        *arguments,
        env={"PATH": os.environ["PATH"], "HOME": "/nowhere", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(stderr.decode())
    return stdout.decode().strip()


async def interrupt_program(secret: str) -> None:
    """Cancels the task that hears a program, once it is up."""
    up = asyncio.Event()

    async def hear() -> None:
        async with AsyncDrydock(url=URL, api_key=secret) as drydock:
            async for event in drydock.executions.stream(Program(language="python", source=SLEEP)):
                if event.type == "stdout":
                    up.set()

    await _cancel(hear, up)


async def interrupt_command(secret: str, sandbox_id: str) -> None:
    """Cancels the task that runs a command, once it is up."""
    up = asyncio.Event()

    async def run() -> None:
        async with AsyncDrydock(url=URL, api_key=secret) as drydock:
            sandbox = await drydock.sandboxes.connect(sandbox_id)
            await sandbox.commands.run("echo up; sleep 60", on_stdout=lambda _: up.set())

    await _cancel(run, up)


async def _cancel(work: Callable[[], Coroutine[Any, Any, None]], up: asyncio.Event) -> None:
    task = asyncio.create_task(work())
    await up.wait()
    task.cancel()
    with raises(asyncio.CancelledError):
        await task
