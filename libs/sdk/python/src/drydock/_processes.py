"""Events and results of commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from drydock._errors import DrydockError, InvalidArgumentError, OutputLostError
from drydock._limits import ResourceUsage, from_usage
from drydock._messages import bytes_of, new_request_id, time_in
from drydock.v1 import process_pb2, resources_pb2

Command: TypeAlias = str | Sequence[str]
"""A text is run by `/bin/sh -c`; a list is a program with its arguments, and no shell is involved."""

KILL_SECONDS = 10.0
"""How long a signal may take, also one to a command that has not started yet."""
DEFAULT_KEPT_BYTES = 16 * 1024 * 1024
MAX_INPUT_BYTES = 512 * 1024
"""Of one call."""


@dataclass(frozen=True)
class Offset:
    """Where a reader of a command is: bytes of each output that it has seen."""

    stdout: int = 0
    stderr: int = 0


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    """What came of a command."""

    stdout: str
    """Bytes that are not UTF-8 are replaced, as in `stderr`."""
    stderr: str
    exit_code: int | None
    """None where a signal ended the program."""
    signal: str | None
    """The name of that signal, such as `SIGKILL`."""
    duration: timedelta
    usage: ResourceUsage | None
    truncated: bool
    """`stdout` or `stderr` is not whole: there was more than `kept_bytes`."""

    @property
    def success(self) -> bool:
        """The exit code is 0."""
        return self.exit_code == 0


class CommandExitError(DrydockError):
    """A command exited with another code than 0, or by a signal, and `check` was set."""

    result: CommandResult

    _reason = "COMMAND_EXIT"

    def __init__(self, result: CommandResult) -> None:
        how = f"was ended by {result.signal}" if result.exit_code is None else f"exited with code {result.exit_code}"
        super().__init__(f"the command {how}: {result.stderr.strip()[-500:]}")
        self.result = result


@dataclass(frozen=True, kw_only=True)
class OutputEvent:
    """A piece of output."""

    type: Literal["stdout", "stderr"]
    offset: int
    """Bytes of this output that came before."""
    data: bytes

    @property
    def text(self) -> str:
        """Bytes that are not UTF-8 are replaced."""
        return self.data.decode(errors="replace")


@dataclass(frozen=True, kw_only=True)
class ExitEvent:
    """The last event of a command."""

    result: CommandResult
    type: Literal["exit"] = "exit"


CommandEvent: TypeAlias = OutputEvent | ExitEvent


@dataclass(frozen=True, kw_only=True)
class CommandInfo:
    """A command that runs, or ended within the last minute."""

    id: str
    pid: int
    """Inside of the sandbox."""
    command: Sequence[str]
    start_time: datetime | None
    running: bool
    exit_code: int | None
    signal: str | None
    usage: ResourceUsage | None


def to_start_request(
    sandbox_id: str,
    command: Command,
    *,
    environment: Mapping[str, str] | None,
    working_directory: str,
    stdin: str | bytes = b"",
    open_stdin: bool = False,
    terminal: process_pb2.TerminalSize | None = None,
) -> process_pb2.StartProcessRequest:
    return process_pb2.StartProcessRequest(
        sandbox_id=sandbox_id,
        command=["/bin/sh", "-c", command] if isinstance(command, str) else list(command),
        environment=environment,
        working_directory=working_directory,
        stdin=stdin.encode() if isinstance(stdin, str) else stdin,
        open_stdin=open_stdin,
        terminal=terminal,
        # It outlives its stream, so that a connection that breaks does not end it.
        detached=True,
        request_id=new_request_id(),
    )


def to_size(rows: int, columns: int) -> process_pb2.TerminalSize:
    return process_pb2.TerminalSize(rows=rows, columns=columns)


def to_command_info(message: process_pb2.Process) -> CommandInfo:
    exited = message.exited if message.HasField("exited") else None
    return CommandInfo(
        id=message.id,
        pid=message.pid,
        command=tuple(message.command),
        start_time=time_in(message, "start_time"),
        running=exited is None,
        exit_code=exited.exit_code if exited and exited.HasField("exit_code") else None,
        signal=exited.signal or None if exited else None,
        usage=from_usage(exited.usage) if exited and exited.HasField("usage") else None,
    )


class Transcript:
    """The output of a command as far as it was read, and where its stream is joined again: what was read already is
    passed over, and what is missing is an OutputLostError."""

    def __init__(self, offset: Offset | None, kept_bytes: int) -> None:
        if kept_bytes < 0:
            raise InvalidArgumentError("kept_bytes is a number of bytes, 0 or more")
        # Without an offset, an output whose first piece comes later than at 0 is no loss.
        self._any = offset is None
        self._seen = {"stdout": offset.stdout if offset else 0, "stderr": offset.stderr if offset else 0}
        self._kept = {"stdout": bytearray(), "stderr": bytearray()}
        self._kept_bytes = kept_bytes
        self._truncated = False

    @property
    def offset(self) -> Offset:
        return Offset(**self._seen)

    def take(self, stream: Literal["stdout", "stderr"], output: resources_pb2.Output) -> OutputEvent | None:
        """What of a piece is new; None where nothing is."""
        data, seen = bytes_of(output), self._seen[stream]
        if output.offset > seen and not (self._any and seen == 0):
            raise OutputLostError(stream, output.offset - seen)
        repeated = max(0, seen - output.offset)
        if repeated >= len(data):
            return None
        data = data[repeated:]
        self._seen[stream] = output.offset + repeated + len(data)
        kept = self._kept[stream]
        room = self._kept_bytes - len(kept)
        self._truncated = self._truncated or len(data) > room
        kept += data[:room]
        return OutputEvent(type=stream, offset=output.offset + repeated, data=data)

    def result(self, exited: process_pb2.ProcessExited) -> CommandResult:
        usage = from_usage(exited.usage) if exited.HasField("usage") else None
        return CommandResult(
            stdout=self._kept["stdout"].decode(errors="replace"),
            stderr=self._kept["stderr"].decode(errors="replace"),
            exit_code=exited.exit_code if exited.HasField("exit_code") else None,
            signal=exited.signal or None,
            duration=usage.wall_time if usage else timedelta(),
            usage=usage,
            truncated=self._truncated,
        )
