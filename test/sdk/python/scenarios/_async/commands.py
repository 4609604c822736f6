"""Commands and terminals."""

from __future__ import annotations

import builtins
from datetime import timedelta

from drydock import (
    CommandExitError,
    InvalidArgumentError,
    NotFoundError,
    Offset,
    OutputLostError,
    TimeoutError,
)
from scenarios._async.support import open_sandbox
from scenarios._on_asyncio import IN_TIME, Scenario, eventually, interrupt_command, run_python
from scenarios._platform import URL, raises

COUNT = "for i in 0 1 2 3 4; do echo $i; sleep 0.1; done; echo end >&2; exit 3"


async def command() -> None:
    async with open_sandbox() as (_, sandbox):
        result = await sandbox.commands.run("echo $((6 * 7)) | cat")
        assert (result.stdout, result.exit_code, result.success) == ("42\n", 0, True)
        assert (await sandbox.commands.run(["echo", "$HOME", "a b"])).stdout == "$HOME a b\n"
        slept = await sandbox.commands.run("sleep 0.2")
        assert slept.duration > timedelta(milliseconds=199)
        assert slept.usage is not None
        assert slept.usage.peak_memory_bytes > 0


async def command_fails() -> None:
    async with open_sandbox() as (_, sandbox):
        commands = sandbox.commands
        result = await commands.run("echo out; echo why >&2; exit 7")
        assert (result.stdout, result.stderr, result.exit_code) == ("out\n", "why\n", 7)
        assert (result.signal, result.success) == (None, False)
        with raises(CommandExitError, "^the command exited with code 7: why$") as raised:
            await commands.run("echo why >&2; exit 7", check=True)
        assert raised.error.result.exit_code == 7
        killed = await commands.run("kill -SEGV $$")
        assert (killed.exit_code, killed.signal, killed.success) == (None, "SIGSEGV", False)


async def command_callbacks() -> None:
    async with open_sandbox() as (_, sandbox):
        heard: list[str] = []

        async def on_stderr(text: str) -> None:
            heard.append(f"! {text}")

        await sandbox.commands.run(COUNT, on_stdout=heard.append, on_stderr=on_stderr)
        assert heard == ["0\n", "1\n", "2\n", "3\n", "4\n", "! end\n"]


async def command_events() -> None:
    async with open_sandbox() as (_, sandbox):
        pieces: list[str] = []
        offset = 0
        async for event in await sandbox.commands.start(["seq", "1", "100000"]):
            if event.type == "exit":
                assert (event.result.exit_code, event.result.stdout) == (0, "".join(pieces))
            else:
                assert (event.type, event.offset) == ("stdout", offset)
                offset += len(event.data)
                pieces.append(event.text)
        assert "".join(pieces).count("\n") == 100_000
        short = await sandbox.commands.run(["seq", "1", "100000"], kept_bytes=4)
        assert (short.stdout, short.truncated) == ("1\n2\n", True)


async def command_background() -> None:
    async with open_sandbox() as (_, sandbox):
        commands = sandbox.commands
        handle = await commands.run("sleep 60", background=True)
        (info,) = await commands.list()
        assert (info.id, info.pid, info.running) == (handle.id, handle.pid, True)
        assert await handle.kill("SIGTERM")
        result = await handle.wait()
        assert (result.exit_code, result.signal) == (None, "SIGTERM")
        assert not await handle.kill()
        with raises(CommandExitError, "was ended by SIGTERM"):
            await handle.wait(check=True)


async def command_input() -> None:
    async with open_sandbox() as (_, sandbox):
        assert (await sandbox.commands.run("tr a-z A-Z", stdin="abc")).stdout == "ABC"
        handle = await sandbox.commands.start(["cat"], open_stdin=True)
        await handle.stdin.write("one ")
        await handle.stdin.write(b"two")
        await handle.stdin.close()
        result = await handle.wait()
        assert (result.stdout, result.exit_code) == ("one two", 0)


async def command_environment() -> None:
    async with open_sandbox() as (tenant, _):
        sandbox = await tenant.drydock.sandboxes.create("python", environment={"A": "1", "B": "1"})
        result = await sandbox.commands.run("echo $A $B $PWD", environment={"B": "2"}, working_directory="/tmp")
        assert result.stdout == "1 2 /tmp\n"


async def command_timeout() -> None:
    async with open_sandbox() as (tenant, sandbox):
        commands = sandbox.commands
        with raises(TimeoutError, "the command ran longer than 0.3 s"):
            await commands.run("sleep 60", timeout=0.3)
        (info,) = await commands.list()
        assert (info.running, info.signal) == (False, "SIGKILL")
        # Whether or not it is read.
        unread = await commands.start("sleep 60", timeout=timedelta(seconds=0.3))

        async def is_killed() -> bool:
            return [each.running for each in await commands.list() if each.id == unread.id] == [False]

        await eventually(is_killed)
        with raises(builtins.TimeoutError):
            await unread.wait()
        # A process ends by itself, though the timeout of its command is far away.
        environment = {"DRYDOCK_URL": URL, "DRYDOCK_API_KEY": tenant.secret}
        assert await run_python(IN_TIME, environment, sandbox.id) == "in time"


async def command_aborted() -> None:
    async with open_sandbox() as (tenant, sandbox):

        def enough(text: str) -> None:
            raise RuntimeError(f"enough after {text}")

        with raises(RuntimeError, "enough after up"):
            await sandbox.commands.run("echo up; sleep 60", on_stdout=enough)
        await interrupt_command(tenant.secret, sandbox.id)

        async def are_killed() -> bool:
            return [info.running for info in await sandbox.commands.list()] == [False, False]

        await eventually(are_killed)


async def command_joined() -> None:
    async with open_sandbox() as (_, sandbox):
        commands = sandbox.commands
        first = await commands.start(COUNT)
        async for event in first:
            if event.type == "stdout":
                break
        again = await (await commands.connect(first.id)).wait()
        assert (again.stdout, again.stderr, again.exit_code) == ("0\n1\n2\n3\n4\n", "end\n", 3)
        rest = await commands.connect(first.id, offset=Offset(stdout=4))
        assert (await rest.wait()).stdout == "2\n3\n4\n"
        assert rest.offset == Offset(stdout=10, stderr=4)
        whole = await first.wait()
        assert (whole.stdout, whole.exit_code) == ("0\n1\n2\n3\n4\n", 3)
        with raises(NotFoundError):
            await commands.connect("prc_01jv0000000000000000000000")


async def command_lost_output() -> None:
    async with open_sandbox() as (_, sandbox):
        commands = sandbox.commands
        first = await commands.run(["head", "-c", "3000000", "/dev/zero"], background=True)
        await first.wait()
        late = await commands.connect(first.id, offset=Offset(stdout=10))
        with raises(OutputLostError) as raised:
            await late.wait()
        assert raised.error.lost_bytes > 1_000_000
        assert len((await (await commands.connect(first.id)).wait()).stdout) > 500_000


async def command_not_found() -> None:
    async with open_sandbox() as (_, sandbox):
        with raises(InvalidArgumentError) as raised:
            await sandbox.commands.run(["no-such-program"])
        assert raised.error.reason == "COMMAND_NOT_FOUND"


async def terminal() -> None:
    async with open_sandbox() as (_, sandbox):
        shown = bytearray()
        shell = await sandbox.pty.create(rows=24, columns=80, on_data=shown.extend)
        await shell.write("stty size\n")

        async def shows_its_size() -> bool:
            return b"24 80" in shown

        await eventually(shows_its_size)
        await shell.resize(rows=50, columns=120)
        await shell.write("stty size; exit 4\n")
        assert (await shell.wait()).exit_code == 4
        assert b"50 120" in shown


SCENARIOS: dict[str, Scenario] = {
    "command": command,
    "command-fails": command_fails,
    "command-callbacks": command_callbacks,
    "command-events": command_events,
    "command-background": command_background,
    "command-input": command_input,
    "command-environment": command_environment,
    "command-timeout": command_timeout,
    "command-aborted": command_aborted,
    "command-joined": command_joined,
    "command-lost-output": command_lost_output,
    "command-not-found": command_not_found,
    "terminal": terminal,
}
