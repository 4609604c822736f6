"""Sandboxes, and their files."""

from __future__ import annotations

import builtins
import io
from collections.abc import AsyncIterator

from drydock import (
    ConflictError,
    FileNotFoundError,
    NotFoundError,
    PermissionDeniedError,
    Quota,
    QuotaExceededError,
    ResourceLimits,
    SandboxNotRunningError,
)
from scenarios._async.support import open_sandbox, open_tenant
from scenarios._on_asyncio import Scenario, gather
from scenarios._platform import raises

MIB = 1024 * 1024


async def sandbox_scope() -> None:
    async with open_tenant() as tenant:
        sandboxes = tenant.drydock.sandboxes
        async with sandboxes.create("python", lifetime=60, limits=ResourceLimits(cpus=0.25)) as sandbox:
            assert (sandbox.info.state, sandbox.info.template) == ("RUNNING", "python")
            assert sandbox.info.limits.cpus == 0.25
        info = await sandboxes.get(sandbox.id)
        assert (info.state, info.stop_reason) == ("STOPPED", "DELETED")
        async with sandboxes.create("python", keep=True) as sandbox:
            pass
        assert (await sandboxes.get(sandbox.id)).state == "RUNNING"


async def sandbox_connect() -> None:
    async with open_sandbox() as (tenant, sandbox):
        await sandbox.files.write("kept", "yes")
        async with tenant.drydock.sandboxes.connect(sandbox.id) as again:
            assert await again.files.read("kept") == "yes"
        assert await sandbox.files.exists("kept")
        await sandbox.kill()
        with raises(SandboxNotRunningError, "has stopped"):
            await tenant.drydock.sandboxes.connect(sandbox.id)
        with raises(NotFoundError):
            await tenant.drydock.sandboxes.connect("sbx_01jv0000000000000000000000")


async def sandbox_list() -> None:
    async with open_tenant() as tenant:
        sandboxes = tenant.drydock.sandboxes

        async def blue() -> str:
            return (await sandboxes.create("python", metadata={"colour": "blue"})).id

        async def red() -> str:
            return (await sandboxes.create("python", metadata={"colour": "red"})).id

        made, _ = await gather(blue, red)
        found = await sandboxes.list(metadata={"colour": "blue"}, states=["RUNNING"]).to_list()
        assert [info.id for info in found] == [made]
        assert len([info async for info in sandboxes.list()]) == 2


async def sandbox_update() -> None:
    async with open_sandbox() as (_, sandbox):
        before = sandbox.info.expire_time
        updated = await sandbox.update(lifetime=7200, metadata={"step": "2"})
        assert updated.metadata == {"step": "2"}
        assert before is not None
        assert updated.expire_time is not None
        assert (updated.expire_time - before).total_seconds() > 3600


async def sandbox_gone() -> None:
    async with open_sandbox() as (_, sandbox):
        assert await sandbox.kill()
        with raises(SandboxNotRunningError):
            await sandbox.commands.run("true")
        with raises(SandboxNotRunningError):
            await sandbox.files.read("x")
        assert await sandbox.kill()
        info = await sandbox.get_info()
        assert (info.state, info.stop_reason) == ("STOPPED", "DELETED")


async def unknown_template() -> None:
    async with open_tenant() as tenant:
        with raises(NotFoundError) as raised:
            await tenant.drydock.sandboxes.create("nope")
        assert raised.error.reason == "TEMPLATE_NOT_FOUND"


async def quota() -> None:
    async with open_tenant(quota=Quota(concurrent_sandboxes=1), max_retries=0) as impatient:
        await impatient.drydock.sandboxes.create("python")
        with raises(QuotaExceededError):
            await impatient.drydock.sandboxes.create("python")


async def files_text() -> None:
    async with open_sandbox() as (_, sandbox):
        files = sandbox.files
        text = "ünï\0🙂"
        info = await files.write("a/b/text", text, mode=0o600)
        assert (info.name, info.type, info.mode) == ("text", "file", 0o600)
        assert await files.read("a/b/text") == text
        content = bytes(range(256))
        await files.write("bytes", content)
        assert await files.read("bytes", format="bytes") == content
        assert await files.read("bytes", format="bytes", offset_bytes=254, length_bytes=1) == b"\xfe"
        await files.write("empty", "")
        assert await files.read("empty") == ""
        await files.write_files({f"many/{i}": str(i) for i in range(10)})
        assert await files.read("many/9") == "9"


async def files_stream() -> None:
    async with open_tenant() as tenant:
        limits = ResourceLimits(memory_bytes=256 * MIB, disk_bytes=64 * MIB, cpus=2)
        sandbox = await tenant.drydock.sandboxes.create("python", limits=limits)

        async def pieces() -> AsyncIterator[bytes]:
            for n in range(32):
                yield bytes([n]) * MIB

        assert (await sandbox.files.write("large", pieces())).size_bytes == 32 * MIB
        at = wrong = 0
        async for piece in await sandbox.files.read("large", format="stream"):
            wrong += piece[0] != at // MIB
            at += len(piece)
        assert (at, wrong) == (32 * MIB, 0)
        # A reader that leaves ends the call.
        async for _ in await sandbox.files.read("large", format="stream"):
            break
        await sandbox.files.write("large", io.BytesIO(b"x" * MIB))
        assert (await sandbox.files.get_info("large")).size_bytes == MIB

        async def broken() -> AsyncIterator[bytes]:
            yield b"x"
            raise RuntimeError("no more")

        with raises(RuntimeError, "no more"):
            await sandbox.files.write("large", broken())
        assert (await sandbox.files.get_info("large")).size_bytes == MIB


async def files_tree() -> None:
    async with open_sandbox() as (_, sandbox):
        files = sandbox.files
        await files.make_dir("src/deep")
        await files.write("src/one", "1")
        found = [(info.name, info.type) async for info in files.list("src")]
        assert found == [("deep", "directory"), ("one", "file")]
        assert (await files.rename("src/one", "other/two")).path.endswith("other/two")
        assert not await files.exists("src/one")
        assert await files.exists("other/two")
        with raises(ConflictError):
            await files.remove("src")
        await files.remove("src", recursive=True)
        assert not await files.exists("src")


async def files_missing() -> None:
    async with open_sandbox() as (_, sandbox):
        files = sandbox.files
        with raises(builtins.FileNotFoundError):
            await files.read("nope")
        with raises(FileNotFoundError) as raised:
            await files.read("nope", format="stream")
        assert raised.error.reason == "FILE_NOT_FOUND"
        with raises(FileNotFoundError):
            await files.get_info("nope")
        with raises(FileNotFoundError):
            await files.list("nope").to_list()
        with raises(NotFoundError):
            await files.remove("nope")
        with raises(PermissionDeniedError):
            await files.write("/etc/passwd", "x")
        with raises(ConflictError):
            await files.read("/etc")


SCENARIOS: dict[str, Scenario] = {
    "sandbox-scope": sandbox_scope,
    "sandbox-connect": sandbox_connect,
    "sandbox-list": sandbox_list,
    "sandbox-update": sandbox_update,
    "sandbox-gone": sandbox_gone,
    "unknown-template": unknown_template,
    "quota": quota,
    "files-text": files_text,
    "files-stream": files_stream,
    "files-tree": files_tree,
    "files-missing": files_missing,
}
