"""Calls of both surfaces against the fake server: what is repeated, joined again, and left behind."""

from __future__ import annotations

import _thread
import asyncio
import gc
import logging
import os
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

import drydock
from drydock import (
    AsyncDrydock,
    ClientClosedError,
    CommandHandle,
    Drydock,
    InvalidArgumentError,
    NoCapacityError,
    OutputLostError,
    PermissionDeniedError,
    Sandbox,
    TimeoutError,
    UnauthenticatedError,
    UnavailableError,
)
from drydock.testing import FakeServer
from drydock.v1.auth_pb2 import ExchangeTokenResponse
from drydock.v1.blob_pb2 import Blob, PutBlobResponse
from drydock.v1.execution_pb2 import Execution, RunCodeResponse
from drydock.v1.file_pb2 import FileInfo, ReadFileResponse, WriteFileResponse
from drydock.v1.process_pb2 import (
    ConnectProcessRequest,
    ConnectProcessResponse,
    ProcessExited,
    ProcessStarted,
    SignalProcessResponse,
    StartProcessResponse,
)
from drydock.v1.resources_pb2 import Output
from drydock.v1.sandbox_pb2 import CreateSandboxResponse, DeleteSandboxResponse
from drydock.v1.sandbox_pb2 import Sandbox as SandboxMessage
from drydock.v1.test_set_pb2 import ImportTestSetResponse

TEXT = "one\ntwo\nthree\n"
STARTED = StartProcessResponse(started=ProcessStarted(process_id="prc_1", pid=1))
EXITED = ProcessExited(exit_code=0)
BROKEN = UnavailableError("broken")


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        made = SandboxMessage(id="sbx_1", state=SandboxMessage.RUNNING)
        server.on("CreateSandbox", CreateSandboxResponse(sandbox=made))
        server.on("DeleteSandbox", DeleteSandboxResponse())
        server.on("SignalProcess", SignalProcessResponse())
        yield server


@pytest.fixture
def client(server: FakeServer) -> Iterator[Drydock]:
    with Drydock(url=server.url, api_key="dk_test") as client:
        yield client


@pytest.fixture
def sandbox(client: Drydock) -> Sandbox:
    return client.sandboxes.create("python")


def rest(backwards: int) -> Callable[[ConnectProcessRequest], list[ConnectProcessResponse]]:
    """Joins a command, and repeats this many of the bytes that were seen."""

    def answer(request: ConnectProcessRequest) -> list[ConnectProcessResponse]:
        at = max(0, request.stdout_offset - backwards)
        output = Output(offset=at, text=TEXT[at:])
        return [ConnectProcessResponse(stdout=output), ConnectProcessResponse(exited=EXITED)]

    return answer


@pytest.mark.parametrize("backwards", [0, 1, 5])
def test_output_has_neither_gap_nor_repetition_wherever_its_stream_is_cut(
    server: FakeServer, sandbox: Sandbox, backwards: int
) -> None:
    for cut in range(len(TEXT) + 1):
        head = StartProcessResponse(stdout=Output(offset=0, text=TEXT[:cut]))
        server.on("StartProcess", [STARTED, head, BROKEN])
        server.on("ConnectProcess", rest(backwards))
        handle = sandbox.commands.start("true")
        text = ""
        for event in handle:
            if event.type != "exit":
                assert event.offset == len(text)
                text += event.text
        assert text == TEXT
        assert handle.wait().stdout == TEXT


def test_a_stream_that_ends_before_its_command_is_joined_again(server: FakeServer, sandbox: Sandbox) -> None:
    server.on("StartProcess", [STARTED])
    server.on("ConnectProcess", [BROKEN], [], rest(0))
    assert sandbox.commands.run("true").stdout == TEXT


def test_a_reader_hears_how_much_is_lost(server: FakeServer, sandbox: Sandbox) -> None:
    server.on("StartProcess", [STARTED, BROKEN])
    late = ConnectProcessResponse(stdout=Output(offset=7, text="late"))
    server.on("ConnectProcess", [late])
    with pytest.raises(OutputLostError) as raised:
        sandbox.commands.run("true")
    assert (raised.value.stream, raised.value.lost_bytes) == ("stdout", 7)


def test_a_reader_that_was_cancelled_reads_on_where_it_was(server: FakeServer) -> None:
    async def main() -> None:
        async with AsyncDrydock(url=server.url, api_key="dk_test") as client:
            head = StartProcessResponse(stdout=Output(offset=0, text=TEXT[:4]))
            silence = threading.Event()

            def start(_: Any) -> Iterator[StartProcessResponse]:
                yield from (STARTED, head)
                silence.wait()

            server.on("StartProcess", start)
            server.on("ConnectProcess", rest(2))
            sandbox = await client.sandboxes.create("python")
            handle = await sandbox.commands.start("true")
            try:
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(handle.wait(), 0.5)
                assert handle.offset.stdout == 4
                assert (await handle.wait()).stdout == TEXT
                assert server.requests("SignalProcess") == []
            finally:
                silence.set()

    asyncio.run(main())


def test_a_command_that_cannot_be_killed_is_late_all_the_same(server: FakeServer, sandbox: Sandbox) -> None:
    silence = threading.Event()

    def start(_: Any) -> Iterator[StartProcessResponse]:
        yield STARTED
        silence.wait()

    async def main() -> None:
        async with AsyncDrydock(url=server.url, api_key="dk_test") as client:
            of_asyncio = await client.sandboxes.create("python")
            with pytest.raises(TimeoutError):
                await of_asyncio.commands.run("true", timeout=0.1)

    server.on("StartProcess", start)
    server.on("SignalProcess", PermissionDeniedError("no"))
    try:
        with pytest.raises(TimeoutError):
            sandbox.commands.run("true", timeout=0.1)
        asyncio.run(main())
    finally:
        silence.set()


def test_a_call_is_repeated_with_its_request_id(server: FakeServer, client: Drydock) -> None:
    full = NoCapacityError("full", reason="NO_CAPACITY", retry_after=timedelta(milliseconds=1))
    done = RunCodeResponse(execution=Execution(id="exe_1"))
    server.on("RunCode", BROKEN, full, done)
    assert client.run("python", "").id == "exe_1"
    ids = {request.request_id for request in server.requests("RunCode")}
    assert len(server.requests("RunCode")) == 3
    assert len(ids) == 1


def test_a_call_that_is_not_safe_to_repeat_is_made_once(server: FakeServer, sandbox: Sandbox) -> None:
    server.on("MoveFile", BROKEN)
    with pytest.raises(UnavailableError):
        sandbox.files.rename("a", "b")
    server.on("WriteFile", BROKEN, WriteFileResponse(file=FileInfo(name="x")))
    with pytest.raises(UnavailableError):
        sandbox.files.write("x", iter([b"x"]))
    assert len(server.requests("MoveFile")) == 1
    # Text can be sent again.
    server.on("WriteFile", BROKEN, WriteFileResponse(file=FileInfo(name="x")))
    assert sandbox.files.write("x", "x").name == "x"


def test_a_blob_is_sent_again_and_a_package_only_where_its_token_was_refused(
    server: FakeServer, client: Drydock
) -> None:
    content = b"x" * 600_000
    server.on("PutBlob", BROKEN, PutBlobResponse(blob=Blob(sha256="h", size_bytes=len(content))))
    assert client.blobs.put(content).size_bytes == len(content)
    head, *pieces = server.requests("PutBlob")[-4:]
    assert head.sha256 == sha256(content).hexdigest()
    assert b"".join(piece.data for piece in pieces) == content
    with pytest.raises(InvalidArgumentError):
        client.blobs.put(1)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="a list"):
        client.blobs.stat("hash")
    imported = ImportTestSetResponse()
    imported.test_set.id = "tst_1"
    server.on("ImportTestSet", UnauthenticatedError("revoked"), imported)
    assert client.test_sets.import_package(b"zip", name="n").test_set.id == "tst_1"
    server.on("ImportTestSet", BROKEN, imported)
    with pytest.raises(UnavailableError):
        client.test_sets.import_package(b"zip")


def test_a_call_is_repeated_as_often_as_allowed(server: FakeServer) -> None:
    server.on("RunCode", BROKEN)
    for retries in (0, 2):
        server.calls.clear()
        client = Drydock(url=server.url, api_key="dk_test", max_retries=retries)
        with client, pytest.raises(UnavailableError):
            client.run("python", "")
        assert len(server.calls) == retries + 1


def test_a_token_that_is_refused_is_exchanged_anew_once(server: FakeServer, client: Drydock) -> None:
    refused = UnauthenticatedError("revoked")
    server.on("ExchangeToken", ExchangeTokenResponse(token="first"), ExchangeTokenResponse(token="second"))
    server.on("RunCode", refused, RunCodeResponse(execution=Execution(id="exe_1")))
    assert client.run("python", "").id == "exe_1"
    assert [call.metadata["authorization"] for call in server.calls] == ["Bearer first", "Bearer second"]
    server.on("RunCode", refused)
    with pytest.raises(UnauthenticatedError):
        client.run("python", "")


def test_close_ends_what_is_under_way(server: FakeServer) -> None:
    asked, silence = threading.Event(), threading.Event()

    def wait(_: Any) -> RunCodeResponse:
        asked.set()
        silence.wait()
        return RunCodeResponse()

    server.on("RunCode", wait)

    def close(client: Drydock) -> None:
        asked.wait()
        client.close()

    try:
        client = Drydock(url=server.url, api_key="dk_test")
        closing = threading.Thread(target=close, args=[client])
        closing.start()
        with pytest.raises(ClientClosedError):
            client.run("python", "")
        closing.join()
        with pytest.raises(ClientClosedError):
            client.run("python", "")

        async def main() -> None:
            asked.clear()
            of_asyncio = AsyncDrydock(url=server.url, api_key="dk_test")
            running = asyncio.create_task(of_asyncio.run("python", ""))
            await asyncio.to_thread(asked.wait)
            await of_asyncio.close()
            with pytest.raises(ClientClosedError):
                await running
            with pytest.raises(ClientClosedError):
                await of_asyncio.run("python", "")

        asyncio.run(main())
    finally:
        silence.set()


def test_a_client_of_asyncio_serves_one_event_loop_after_the_other(server: FakeServer) -> None:
    server.on("RunCode", RunCodeResponse(execution=Execution(id="exe_1")))
    client = AsyncDrydock(url=server.url, api_key="dk_test")

    async def run() -> str:
        return (await client.run("python", "")).id

    assert [asyncio.run(run()), asyncio.run(run())] == ["exe_1", "exe_1"]


def test_nothing_is_left_behind(server: FakeServer) -> None:
    server.on("StartProcess", [STARTED, StartProcessResponse(exited=EXITED)])
    server.on("ReadFile", [ReadFileResponse(data=b"x")] * 1_000)

    def use() -> None:
        with Drydock(url=server.url, api_key="dk_test") as client, client.sandboxes.create("python") as sandbox:
            sandbox.commands.run("true", timeout=3_600)
            handle: CommandHandle = sandbox.commands.run("true", background=True)
            handle.wait()
            for _ in sandbox.files.read("x", format="stream"):
                break

    async def use_async() -> None:
        async with AsyncDrydock(url=server.url, api_key="dk_test") as client:
            sandbox = await client.sandboxes.create("python")
            await sandbox.commands.run("true", timeout=3_600)
            async for _ in await sandbox.files.read("x", format="stream"):
                break
        # Those of grpc end in the next turns of the loop.
        for _ in range(10):
            await asyncio.sleep(0.01)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def count() -> tuple[int, int]:
        gc.collect()
        readers = [thread for thread in threading.enumerate() if not thread.name.startswith("drydock-fake")]
        return len(os.listdir("/proc/self/fd")), len(readers)

    use()
    asyncio.run(use_async())
    descriptors, threads = count()
    for _ in range(10):
        use()
        asyncio.run(use_async())
    after = count()
    assert after[0] <= descriptors + 2
    assert after[1] <= threads


def test_the_context_of_a_trace_is_passed_on(server: FakeServer, client: Drydock) -> None:
    server.on("RunCode", RunCodeResponse())
    client.run("python", "")
    context = SpanContext(trace_id=0xA1, span_id=0xB2, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    with use_span(NonRecordingSpan(context)):
        client.run("python", "")
    traces = [call.metadata.get("traceparent") for call in server.calls]
    assert traces == [None, f"00-{0xA1:032x}-{0xB2:016x}-01"]


def test_the_log_shows_neither_keys_nor_programs(
    server: FakeServer, client: Drydock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "drydock")
    server.on("RunCode", UnavailableError("of secret-program", request_id="req_1"), RunCodeResponse())
    client.run("python", "secret-program")
    assert "RunCode: SERVICE_UNAVAILABLE (req_1)" in caplog.messages
    assert caplog.messages[-1] == "RunCode: answered"
    for secret in ("dk_test", "fake-token", "secret-program"):
        assert secret not in caplog.text


def test_every_name_that_is_exported_is_there() -> None:
    assert [name for name in drydock.__all__ if not hasattr(drydock, name)] == []


def test_a_call_that_is_interrupted_ends_at_the_server(server: FakeServer, client: Drydock) -> None:
    def answer(_: Any) -> RunCodeResponse:
        _thread.interrupt_main()
        server.calls[-1].ended.wait(5)
        return RunCodeResponse()

    server.on("RunCode", answer)
    with pytest.raises(KeyboardInterrupt):
        client.run("python", "")
    assert server.calls[-1].ended.wait(2)
