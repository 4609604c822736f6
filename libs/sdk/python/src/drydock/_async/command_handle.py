"""Commands that run."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeAlias

from drydock._async.connection import AsyncConnection, AsyncMessages
from drydock._durations import Duration, seconds_of
from drydock._errors import ConflictError, ConnectionLostError, DrydockError, NotFoundError, TimeoutError
from drydock._on_asyncio import Background, Lock, Timer, tell
from drydock._processes import (
    KILL_SECONDS,
    MAX_INPUT_BYTES,
    CommandEvent,
    CommandExitError,
    CommandResult,
    ExitEvent,
    Offset,
    OutputEvent,
    Transcript,
    to_size,
)
from drydock._retries import Breaks
from drydock.v1 import process_pb2

if TYPE_CHECKING:
    from drydock._on_asyncio import Listener

    Events: TypeAlias = (
        AsyncMessages[process_pb2.StartProcessResponse] | AsyncMessages[process_pb2.ConnectProcessResponse]
    )


class AsyncStdin:
    """Standard input of a command that was started with `open_stdin`, or of a terminal."""

    def __init__(self, connection: AsyncConnection, sandbox_id: str, process_id: str) -> None:
        self._connection = connection
        self._sandbox_id = sandbox_id
        self._process_id = process_id

    async def write(self, data: str | bytes) -> None:
        """Answers when the program, or its pipe, has taken all of it."""
        content = data.encode() if isinstance(data, str) else data
        for at in range(0, len(content), MAX_INPUT_BYTES):
            await self._send(content[at : at + MAX_INPUT_BYTES], close=False)

    async def close(self) -> None:
        await self._send(b"", close=True)

    async def _send(self, data: bytes, *, close: bool) -> None:
        request = process_pb2.WriteProcessInputRequest(
            sandbox_id=self._sandbox_id, process_id=self._process_id, data=data, close=close
        )
        # Not repeated: what arrived before the connection broke would arrive twice.
        await self._connection.unary(
            self._connection.stubs.processes.WriteProcessInput, request, request_timeout=None, repeatable=False
        )


class AsyncCommandHandle:
    """A command that runs in a sandbox. Either iterate over its events or `wait()` for its end: a program whose output
    nobody reads waits. It outlives a connection that breaks, and a reader that was cancelled: the next read joins it
    where it was."""

    id: str
    pid: int
    """The process id inside of the sandbox."""
    stdin: AsyncStdin

    def __init__(
        self,
        connection: AsyncConnection,
        sandbox_id: str,
        process_id: str,
        pid: int,
        *,
        transcript: Transcript,
        messages: Events | None,
        on_stdout: Listener[str] | None = None,
        on_stderr: Listener[str] | None = None,
        on_data: Listener[bytes] | None = None,
    ) -> None:
        self.id = process_id
        self.pid = pid
        self.stdin = AsyncStdin(connection, sandbox_id, process_id)
        self._connection = connection
        self._sandbox_id = sandbox_id
        self._transcript = transcript
        self._messages = messages
        # One that was joined is not killed by a listener.
        self._started_here = messages is not None
        self._listeners = {"stdout": on_stdout, "stderr": on_stderr}
        self._on_data = on_data
        self._reading = Lock()
        self._breaks = Breaks()
        self._background: Background[CommandResult] | None = None
        self._timer: Timer | None = None
        self._late: str | None = None
        self._result: CommandResult | None = None

    @property
    def offset(self) -> Offset:
        """Bytes that were read: where `commands.connect` goes on."""
        return self._transcript.offset

    def __aiter__(self) -> AsyncCommandHandle:
        return self

    async def __anext__(self) -> CommandEvent:
        event = await self._next()
        if event is None:
            raise StopAsyncIteration
        return event

    async def wait(self, *, check: bool = False) -> CommandResult:
        """Reads to the end. With `check`, raises CommandExitError where the exit code is not 0."""
        result = await (self._read_all() if self._background is None else self._background.wait())
        if check and not result.success:
            raise CommandExitError(result)
        return result

    async def kill(self, signal: str = "SIGKILL") -> bool:
        """Sends a signal; SIGKILL ends the command with everything that it started. Tells whether it still ran."""
        return await signal_process(self._connection, self._sandbox_id, self.id, signal)

    async def resize(self, *, rows: int, columns: int) -> None:
        """Changes the size of its terminal."""
        request = process_pb2.ResizeProcessRequest(
            sandbox_id=self._sandbox_id, process_id=self.id, terminal=to_size(rows, columns)
        )
        await self._connection.unary(self._connection.stubs.processes.ResizeProcess, request)

    def _read_in_background(self) -> None:
        self._background = Background(self._read_all)

    def _kill_after(self, timeout: Duration | None) -> None:
        if timeout is None:
            return
        seconds = seconds_of("timeout", timeout)
        late = f"the command ran longer than {seconds:g} s"

        async def end() -> None:
            self._late = late
            try:
                await self.kill()
            except DrydockError:
                # Its reader hears of it now rather than by its end.
                if self._messages is not None:
                    self._messages.cancel()

        self._timer = Timer(seconds, end)

    async def _read_all(self) -> CommandResult:
        while self._result is None:
            await self._next()
        return self._result

    async def _next(self) -> CommandEvent | None:
        async with self._reading:
            while self._result is None:
                message = await self._read()
                if message is None:
                    continue
                match message.WhichOneof("event"):
                    case "stdout":
                        event = self._transcript.take("stdout", message.stdout)
                    case "stderr":
                        event = self._transcript.take("stderr", message.stderr)
                    case "exited":
                        return ExitEvent(result=self._end(message.exited))
                    case _:
                        continue
                if event is None:
                    continue
                self._breaks.reset()
                await self._tell(event)
                return event
            return None

    async def _read(self) -> process_pb2.StartProcessResponse | process_pb2.ConnectProcessResponse | None:
        """The next message; None where the stream broke, and is to be joined again."""
        self._check_time()
        try:
            if self._messages is None:
                self._messages = await self._join()
            message = await self._messages.read()
            if message is None:
                raise ConnectionLostError("the stream of the command ended before the command")
            return message
        except DrydockError as error:
            self._leave()
            self._check_time()
            await self._connection.sleep(self._breaks.wait_after(error))
            return None
        except BaseException:
            self._leave()
            raise

    async def _join(self) -> AsyncMessages[process_pb2.ConnectProcessResponse]:
        offset = self._transcript.offset
        request = process_pb2.ConnectProcessRequest(
            sandbox_id=self._sandbox_id,
            process_id=self.id,
            stdout_offset=offset.stdout,
            stderr_offset=offset.stderr,
        )
        return await self._connection.stream(self._connection.stubs.processes.ConnectProcess, request)

    def _leave(self) -> None:
        if self._messages is not None:
            self._messages.cancel()
            self._messages = None

    def _check_time(self) -> None:
        if self._late is not None:
            raise TimeoutError(self._late)

    def _end(self, exited: process_pb2.ProcessExited) -> CommandResult:
        self._leave()
        if self._timer is not None:
            self._timer.cancel()
        self._check_time()
        self._result = self._transcript.result(exited)
        return self._result

    async def _tell(self, event: OutputEvent) -> None:
        listener = self._listeners[event.type]
        try:
            if listener is not None:
                await tell(listener, event.text)
            if self._on_data is not None:
                await tell(self._on_data, event.data)
        except BaseException:
            self._leave()
            if self._started_here:
                await self._abandon()
            raise

    async def _abandon(self) -> None:
        """Kills it, where an error is on its way already, to which another one adds nothing."""
        with contextlib.suppress(DrydockError):
            await self.kill()


async def signal_process(connection: AsyncConnection, sandbox_id: str, process_id: str, signal: str) -> bool:
    """Sends a signal, at the latest after 10 s. Tells whether the process still ran."""
    request = process_pb2.SignalProcessRequest(sandbox_id=sandbox_id, process_id=process_id, signal=signal)
    try:
        await connection.unary(
            connection.stubs.processes.SignalProcess,
            request,
            request_timeout=KILL_SECONDS,
            repeatable=signal == "SIGKILL",
        )
    except NotFoundError as error:
        if error.reason != "PROCESS_NOT_FOUND":
            raise
        return False
    except ConflictError as error:
        if error.reason != "PROCESS_ENDED":
            raise
        return False
    return True


async def start_process(
    connection: AsyncConnection,
    request: process_pb2.StartProcessRequest,
    *,
    timeout: Duration | None,
    kept_bytes: int,
    on_stdout: Listener[str] | None = None,
    on_stderr: Listener[str] | None = None,
    on_data: Listener[bytes] | None = None,
) -> AsyncCommandHandle:
    if timeout is not None:
        seconds_of("timeout", timeout)
    transcript = Transcript(Offset(), kept_bytes)
    try:
        messages = await connection.stream(connection.stubs.processes.StartProcess, request)
        first = await messages.read()
    except Exception:
        raise
    except BaseException:
        await _kill_unseen(connection, request)
        raise
    if first is None or first.WhichOneof("event") != "started":
        messages.cancel()
        raise DrydockError("the command did not start")
    handle = AsyncCommandHandle(
        connection,
        request.sandbox_id,
        first.started.process_id,
        first.started.pid,
        transcript=transcript,
        messages=messages,
        on_stdout=on_stdout,
        on_stderr=on_stderr,
        on_data=on_data,
    )
    handle._kill_after(timeout)
    return handle


async def _kill_unseen(connection: AsyncConnection, request: process_pb2.StartProcessRequest) -> None:
    """Its caller was interrupted: whether the command runs is not known, and the same request names it."""
    with contextlib.suppress(DrydockError):
        start = connection.stubs.processes.StartProcess
        with await connection.stream(start, request, request_timeout=KILL_SECONDS) as messages:
            first = await messages.read()
            if first is not None:
                await signal_process(connection, request.sandbox_id, first.started.process_id, "SIGKILL")
