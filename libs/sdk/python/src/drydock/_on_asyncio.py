"""What the asyncio surface is made of. `_on_threads` has the same names; all else is written once, in `_async`."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Sequence,
)
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, ParamSpec, Protocol, TypeAlias, TypeVar, cast

import grpc.aio

from drydock._calls import CHANNEL_OPTIONS, PIECE_BYTES, Try, credentials_of, cut
from drydock._config import Settings
from drydock._errors import ClientClosedError, ConnectionLostError, TimeoutError
from drydock._status import to_error
from drydock.v1.auth_pb2_grpc import AuthServiceStub
from drydock.v1.blob_pb2_grpc import BlobServiceStub
from drydock.v1.execution_pb2_grpc import ExecutionServiceStub
from drydock.v1.file_pb2_grpc import FileServiceStub
from drydock.v1.process_pb2_grpc import ProcessServiceStub
from drydock.v1.sandbox_pb2_grpc import SandboxServiceStub
from drydock.v1.template_pb2_grpc import TemplateServiceStub
from drydock.v1.test_set_pb2_grpc import TestSetServiceStub
from drydock.v1.webhook_pb2_grpc import WebhookServiceStub

P = ParamSpec("P")
T = TypeVar("T")
Q = TypeVar("Q")
A = TypeVar("A")
U = TypeVar("U", bound="AsyncClosing")

Iteration: TypeAlias = AsyncGenerator[T, None]
Listener: TypeAlias = Callable[[T], Awaitable[None] | None]
FileContent: TypeAlias = str | bytes | bytearray | memoryview | BinaryIO | Iterable[bytes] | AsyncIterable[bytes]
"""Text, bytes, a file that is open for reading bytes, or pieces of bytes as they come."""

Attempt: TypeAlias = Callable[[Try], Awaitable[T]]
Fetch: TypeAlias = Callable[[str], Awaitable[tuple[Sequence[T], str]]]
"""The items of a page, and the token of the next one."""

if TYPE_CHECKING:
    UnaryMethod: TypeAlias = grpc.aio.UnaryUnaryMultiCallable[Q, A]
    StreamMethod: TypeAlias = grpc.aio.UnaryStreamMultiCallable[Q, A]
    UploadMethod: TypeAlias = grpc.aio.StreamUnaryMultiCallable[Q, A]

Lock = asyncio.Lock


class Stubs:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.auth = AuthServiceStub(channel)
        self.blobs = BlobServiceStub(channel)
        self.executions = ExecutionServiceStub(channel)
        self.files = FileServiceStub(channel)
        self.processes = ProcessServiceStub(channel)
        self.sandboxes = SandboxServiceStub(channel)
        self.templates = TemplateServiceStub(channel)
        self.test_sets = TestSetServiceStub(channel)
        self.webhooks = WebhookServiceStub(channel)


class _OfLoop:
    """What belongs to one event loop."""

    def __init__(self, settings: Settings, ca: bytes | None) -> None:
        credentials = credentials_of(settings, ca)
        if credentials is None:
            self.channel = grpc.aio.insecure_channel(settings.address, options=CHANNEL_OPTIONS)
        else:
            self.channel = grpc.aio.secure_channel(settings.address, credentials, options=CHANNEL_OPTIONS)
        self.loop = asyncio.get_running_loop()
        self.stubs = Stubs(self.channel)
        self.lock = asyncio.Lock()
        self.closing = asyncio.Event()


class Channel:
    """The connection, made at the first call, and anew in another event loop."""

    def __init__(self, settings: Settings, ca: bytes | None) -> None:
        self._settings = settings
        self._ca = ca
        self._opened: _OfLoop | None = None
        self._closed = False

    @property
    def _open(self) -> _OfLoop:
        if self._closed:
            raise ClientClosedError()
        if self._opened is None or self._opened.loop is not asyncio.get_running_loop():
            self._opened = _OfLoop(self._settings, self._ca)
        return self._opened

    @property
    def stubs(self) -> Stubs:
        return self._open.stubs

    @asynccontextmanager
    async def alone(self, timeout: float | None) -> AsyncIterator[None]:
        """One at a time; raises TimeoutError where its turn does not come in time."""
        lock = self._open.lock
        try:
            await asyncio.wait_for(lock.acquire(), timeout)
        except asyncio.TimeoutError:
            raise TimeoutError("no answer within request_timeout") from None
        try:
            yield
        finally:
            lock.release()

    async def sleep(self, seconds: float) -> None:
        """Ends with the channel."""
        closing = self._open.closing
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(closing.wait(), seconds)
        self.check_open()

    async def unary(self, method: UnaryMethod[Q, A], request: Q, call: Try) -> A:
        self.check_open()
        try:
            return await method(request, timeout=call.timeout, metadata=call.metadata)
        except grpc.aio.AioRpcError as error:
            raise to_error(error, self._settings.url) from error
        except asyncio.CancelledError:
            # grpc says it of its closed channel, too.
            self.check_open()
            raise

    def stream(self, method: StreamMethod[Q, A], request: Q, call: Try) -> Stream[A]:
        self.check_open()
        return Stream(method(request, timeout=call.timeout, metadata=call.metadata), self, self._settings.url)

    async def upload(self, method: UploadMethod[Q, A], requests: Iteration[Q], call: Try) -> A:
        """Ends with the call, though `requests` may be silent then."""
        self.check_open()
        begun = method(timeout=call.timeout, metadata=call.metadata)
        sending = asyncio.create_task(_send(begun, requests))
        try:
            return await begun
        except grpc.aio.AioRpcError as error:
            raise to_error(error, self._settings.url) from error
        except asyncio.CancelledError:
            if sending.done() and not sending.cancelled():
                sending.result()
            self.check_open()
            raise
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await requests.aclose()

    def check_open(self) -> None:
        if self._closed:
            raise ClientClosedError()

    async def close(self) -> None:
        opened, self._opened, self._closed = self._opened, None, True
        if opened and opened.loop is asyncio.get_running_loop():
            opened.closing.set()
            await opened.channel.close()


async def _send(call: grpc.aio.StreamUnaryCall[Q, A], requests: Iteration[Q]) -> None:
    try:
        async for request in requests:
            await call.write(request)
        await call.done_writing()
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        # The call has ended, and its answer says why.
        return
    except BaseException:
        call.cancel()
        raise


class Stream(Generic[A]):
    """The messages of one try. It ends with its last reference at the latest."""

    def __init__(self, call: grpc.aio.UnaryStreamCall[Any, A], channel: Channel, url: str) -> None:
        self._call = call
        self._channel = channel
        self._url = url
        self._left = False

    async def read(self) -> A | None:
        """None at the end."""
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise to_error(error, self._url) from error
        except asyncio.CancelledError:
            self._channel.check_open()
            if self._left:
                # The call was cancelled, and not its reader.
                raise ConnectionLostError("the stream was left while it was read") from None
            raise
        return None if message is grpc.aio.EOF else cast(A, message)

    def cancel(self) -> None:
        self._left = True
        self._call.cancel()


class Background(Generic[T]):
    """Work that goes on by itself."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._task = asyncio.create_task(work())
        # The caller of wait() hears of a failure.
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def wait(self) -> T:
        return await asyncio.shield(self._task)


class Timer:
    """Acts after this time, unless it is cancelled before."""

    def __init__(self, seconds: float, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            await act()

        self._task = asyncio.create_task(wait())

    def cancel(self) -> None:
        self._task.cancel()


async def tell(listener: Listener[T], value: T) -> None:
    heard = listener(value)
    if inspect.isawaitable(heard):
        await heard


async def each(work: Callable[[Q], Coroutine[Any, Any, A]], items: Iterable[Q], limit: int) -> list[A]:
    """The results in the order of the items, of which `limit` are worked on at one time. One that fails ends the
    rest."""
    places = asyncio.Semaphore(limit)

    async def one(item: Q) -> A:
        async with places:
            return await work(item)

    tasks = [asyncio.create_task(one(item)) for item in items]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def sha256_of(content: memoryview) -> str:
    """By a thread, so that the event loop goes on."""
    return await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())


async def pieces_of(content: FileContent) -> Iteration[bytes]:
    """Pieces that fit into messages."""
    if isinstance(content, str):
        content = content.encode()
    if isinstance(content, (bytes, bytearray, memoryview)):
        for piece in cut(content):
            yield piece
    elif isinstance(content, AsyncIterable):
        async for part in content:
            for piece in cut(part):
                yield piece
    elif hasattr(content, "read"):
        while part := await asyncio.to_thread(content.read, PIECE_BYTES):
            for piece in cut(part):
                yield piece
    else:
        for part in content:
            for piece in cut(part):
                yield piece


class AsyncClosing(Protocol):
    async def __aenter__(self: T) -> T: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class Opening(Generic[U]):
    """To be awaited, or entered by `async with`, which closes it."""

    def __init__(self, opening: Coroutine[Any, Any, U]) -> None:
        self._opening = opening
        self._opened: U | None = None

    def __await__(self) -> Generator[Any, Any, U]:
        return self._opening.__await__()

    async def __aenter__(self) -> U:
        self._opened = await self._opening
        return await self._opened.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened is not None:
            await self._opened.__aexit__(kind, error, trace)


def opens(function: Callable[P, Coroutine[Any, Any, U]]) -> Callable[P, Opening[U]]:
    """What the function answers with can be awaited, and entered by `async with` as well."""

    def opening(*args: P.args, **kwargs: P.kwargs) -> Opening[U]:
        return Opening(function(*args, **kwargs))

    opening.__doc__ = function.__doc__
    return opening
