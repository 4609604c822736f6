"""Terminals of a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from drydock._async.command_handle import AsyncCommandHandle, start_process
from drydock._async.connection import AsyncConnection
from drydock._durations import Duration
from drydock._processes import DEFAULT_KEPT_BYTES, Command, CommandResult, to_size, to_start_request

if TYPE_CHECKING:
    from drydock._on_asyncio import Listener


class AsyncTerminal:
    """A program on a terminal."""

    id: str
    pid: int
    """The process id inside of the sandbox."""

    def __init__(self, handle: AsyncCommandHandle) -> None:
        self.id = handle.id
        self.pid = handle.pid
        self._handle = handle

    async def write(self, data: str | bytes) -> None:
        """Types."""
        await self._handle.stdin.write(data)

    async def resize(self, *, rows: int, columns: int) -> None:
        """1 to 1,000 each."""
        await self._handle.resize(rows=rows, columns=columns)

    async def wait(self, *, check: bool = False) -> CommandResult:
        """Waits for its end. With `check`, raises CommandExitError where the exit code is not 0."""
        return await self._handle.wait(check=check)

    async def kill(self, signal: str = "SIGKILL") -> bool:
        """As of a command."""
        return await self._handle.kill(signal)


class AsyncPty:
    """Terminals of one sandbox."""

    def __init__(self, connection: AsyncConnection, sandbox_id: str) -> None:
        self._connection = connection
        self._sandbox_id = sandbox_id

    async def create(
        self,
        *,
        rows: int,
        columns: int,
        on_data: Listener[bytes] | None = None,
        command: Command = ("/bin/sh",),
        environment: Mapping[str, str] | None = None,
        working_directory: str = "",
        timeout: Duration | None = None,
    ) -> AsyncTerminal:
        """Starts a program, by default a shell, on a terminal of 1 to 1,000 rows and columns. Its output is read at
        once, for `on_data`; if that raises, the program is killed, and `wait()` raises the same. All else is as of
        a command; `TERM` is `xterm-256color`."""
        request = to_start_request(
            self._sandbox_id,
            command,
            environment={"TERM": "xterm-256color", **(environment or {})},
            working_directory=working_directory,
            terminal=to_size(rows, columns),
        )
        handle = await start_process(
            self._connection, request, timeout=timeout, kept_bytes=DEFAULT_KEPT_BYTES, on_data=on_data
        )
        handle._read_in_background()
        return AsyncTerminal(handle)
