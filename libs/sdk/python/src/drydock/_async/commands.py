"""Commands of a sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, overload

from drydock._async.command_handle import AsyncCommandHandle, start_process
from drydock._async.connection import AsyncConnection
from drydock._durations import DEFAULT_REQUEST_TIMEOUT, Duration
from drydock._errors import InvalidArgumentError, NotFoundError
from drydock._processes import (
    DEFAULT_KEPT_BYTES,
    Command,
    CommandInfo,
    CommandResult,
    Offset,
    Transcript,
    to_command_info,
    to_start_request,
)
from drydock.v1 import process_pb2

if TYPE_CHECKING:
    from drydock._on_asyncio import Listener


class AsyncCommands:
    """Commands of one sandbox. A text is run by `/bin/sh -c`; a list is a program with its arguments, and no shell
    is involved.

    Options of a command:

    - `environment` is added to the sandbox's own. `working_directory` is absolute, or relative to the home, which
    is the default. - `stdin`, to 1 MiB, is given to standard input, which is then closed; `open_stdin` keeps it
    open for `handle.stdin`. - `timeout` is counted from its start; then the command is killed, whether or not it is
    read, and its reader gets a TimeoutError. None: the sandbox's lifetime. - `on_stdout` and `on_stderr` hear
    output as it is read. One that raises ends the reading and kills the command, and the reader gets what it
    raised. - `kept_bytes` of each output are kept for the result, from its start. Default 16 MiB (16,777,216)."""

    def __init__(self, connection: AsyncConnection, sandbox_id: str) -> None:
        self._connection = connection
        self._sandbox_id = sandbox_id

    @overload
    async def run(
        self,
        command: Command,
        *,
        environment: Mapping[str, str] | None = None,
        working_directory: str = "",
        stdin: str | bytes = b"",
        open_stdin: bool = False,
        timeout: Duration | None = None,
        on_stdout: Listener[str] | None = None,
        on_stderr: Listener[str] | None = None,
        kept_bytes: int = DEFAULT_KEPT_BYTES,
        check: bool = False,
        background: Literal[False] = False,
    ) -> CommandResult: ...

    @overload
    async def run(
        self,
        command: Command,
        *,
        environment: Mapping[str, str] | None = None,
        working_directory: str = "",
        stdin: str | bytes = b"",
        open_stdin: bool = False,
        timeout: Duration | None = None,
        on_stdout: Listener[str] | None = None,
        on_stderr: Listener[str] | None = None,
        kept_bytes: int = DEFAULT_KEPT_BYTES,
        check: Literal[False] = False,
        background: Literal[True],
    ) -> AsyncCommandHandle: ...

    async def run(
        self,
        command: Command,
        *,
        environment: Mapping[str, str] | None = None,
        working_directory: str = "",
        stdin: str | bytes = b"",
        open_stdin: bool = False,
        timeout: Duration | None = None,
        on_stdout: Listener[str] | None = None,
        on_stderr: Listener[str] | None = None,
        kept_bytes: int = DEFAULT_KEPT_BYTES,
        check: bool = False,
        background: bool = False,
    ) -> CommandResult | AsyncCommandHandle:
        """Runs a command to its end. A program that fails is a result; with `check`, CommandExitError is raised
        instead. A caller that is interrupted kills the command; one whose process ends leaves it to run until the
        sandbox ends. With `background`, answers as soon as the command runs; its output is read meanwhile, for
        `wait()` and the listeners. Raises InvalidArgumentError (COMMAND_NOT_FOUND), TimeoutError, CommandExitError,
        SandboxNotRunningError."""
        if background and check:
            raise InvalidArgumentError("a background command is checked by wait(check=True)")
        handle = await self.start(
            command,
            environment=environment,
            working_directory=working_directory,
            stdin=stdin,
            open_stdin=open_stdin,
            timeout=timeout,
            on_stdout=on_stdout,
            on_stderr=on_stderr,
            kept_bytes=kept_bytes,
        )
        if background:
            handle._read_in_background()
            return handle
        try:
            return await handle.wait(check=check)
        except Exception:
            raise
        except BaseException:
            # Its caller was interrupted, and no one else knows of it.
            await handle._abandon()
            raise

    async def start(
        self,
        command: Command,
        *,
        environment: Mapping[str, str] | None = None,
        working_directory: str = "",
        stdin: str | bytes = b"",
        open_stdin: bool = False,
        timeout: Duration | None = None,
        on_stdout: Listener[str] | None = None,
        on_stderr: Listener[str] | None = None,
        kept_bytes: int = DEFAULT_KEPT_BYTES,
    ) -> AsyncCommandHandle:
        """Starts a command. Iterate over its events, or `wait()`. Raises as `run`."""
        request = to_start_request(
            self._sandbox_id,
            command,
            environment=environment,
            working_directory=working_directory,
            stdin=stdin,
            open_stdin=open_stdin,
        )
        return await start_process(
            self._connection, request, timeout=timeout, kept_bytes=kept_bytes, on_stdout=on_stdout, on_stderr=on_stderr
        )

    async def connect(
        self,
        command_id: str,
        *,
        offset: Offset | None = None,
        on_stdout: Listener[str] | None = None,
        on_stderr: Listener[str] | None = None,
        kept_bytes: int = DEFAULT_KEPT_BYTES,
    ) -> AsyncCommandHandle:
        """Joins a command: replays what is kept of its output, to 1 MiB of each stream, or goes on at `offset`. Raises
        NotFoundError; a reader gets an OutputLostError where the offset, or what comes after what it has read, is no
        longer kept."""
        found = [each for each in await self.list() if each.id == command_id]
        if not found:
            raise NotFoundError(f"the sandbox has no command {command_id}", reason="PROCESS_NOT_FOUND")
        return AsyncCommandHandle(
            self._connection,
            self._sandbox_id,
            command_id,
            found[0].pid,
            transcript=Transcript(offset, kept_bytes),
            messages=None,
            on_stdout=on_stdout,
            on_stderr=on_stderr,
        )

    async def list(self, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> Sequence[CommandInfo]:
        """Commands that run, or ended within the last minute; oldest first."""
        request = process_pb2.ListProcessesRequest(sandbox_id=self._sandbox_id)
        answer = await self._connection.unary(
            self._connection.stubs.processes.ListProcesses, request, request_timeout=request_timeout
        )
        return [to_command_info(each) for each in answer.processes]
