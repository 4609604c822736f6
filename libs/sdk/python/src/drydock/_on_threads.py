"""What the surface of threads is made of. `_on_asyncio` has the same names; all else is made from `_async`."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, ParamSpec, Protocol, TypeAlias, TypeVar, cast

import grpc

from drydock._calls import CHANNEL_OPTIONS, PIECE_BYTES, Try, credentials_of, cut
from drydock._config import Settings
from drydock._errors import ClientClosedError, TimeoutError
from drydock._status import FailedCall, to_error
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
T_co = TypeVar("T_co", covariant=True)
Q = TypeVar("Q")
A = TypeVar("A")

Iteration: TypeAlias = Generator[T, None, None]
Listener: TypeAlias = Callable[[T], None]
FileContent: TypeAlias = str | bytes | bytearray | memoryview | BinaryIO | Iterable[bytes]
"""Text, bytes, a file that is open for reading bytes, or pieces of bytes as they come."""

Attempt: TypeAlias = Callable[[Try], T]
Fetch: TypeAlias = Callable[[str], tuple[Sequence[T], str]]
"""The items of a page, and the token of the next one."""

if TYPE_CHECKING:
    UnaryMethod: TypeAlias = grpc.UnaryUnaryMultiCallable[Q, A]
    StreamMethod: TypeAlias = grpc.UnaryStreamMultiCallable[Q, A]
    UploadMethod: TypeAlias = grpc.StreamUnaryMultiCallable[Q, A]

Lock = threading.Lock


class Stubs:
    def __init__(self, channel: grpc.Channel) -> None:
        self.auth = AuthServiceStub(channel)
        self.blobs = BlobServiceStub(channel)
        self.executions = ExecutionServiceStub(channel)
        self.files = FileServiceStub(channel)
        self.processes = ProcessServiceStub(channel)
        self.sandboxes = SandboxServiceStub(channel)
        self.templates = TemplateServiceStub(channel)
        self.test_sets = TestSetServiceStub(channel)
        self.webhooks = WebhookServiceStub(channel)


class Channel:
    """The connection, made at the first call."""

    def __init__(self, settings: Settings, ca: bytes | None) -> None:
        credentials = credentials_of(settings, ca)
        if credentials is None:
            self._channel = grpc.insecure_channel(settings.address, options=CHANNEL_OPTIONS)
        else:
            self._channel = grpc.secure_channel(settings.address, credentials, options=CHANNEL_OPTIONS)
        self._url = settings.url
        self._stubs = Stubs(self._channel)
        self._lock = threading.Lock()
        self._closing = threading.Event()

    @property
    def stubs(self) -> Stubs:
        self.check_open()
        return self._stubs

    @contextmanager
    def alone(self, timeout: float | None) -> Iterator[None]:
        """One at a time; raises TimeoutError where its turn does not come in time."""
        if not self._lock.acquire(timeout=-1 if timeout is None else timeout):
            raise TimeoutError("no answer within request_timeout")
        try:
            yield
        finally:
            self._lock.release()

    def sleep(self, seconds: float) -> None:
        """Ends with the channel."""
        self._closing.wait(seconds)
        self.check_open()

    def unary(self, method: UnaryMethod[Q, A], request: Q, call: Try) -> A:
        try:
            return method(request, timeout=call.timeout, metadata=call.metadata)
        except (grpc.RpcError, ValueError) as error:
            raise self.explain(error) from error

    def stream(self, method: StreamMethod[Q, A], request: Q, call: Try) -> Stream[A]:
        try:
            return Stream(method(request, timeout=call.timeout, metadata=call.metadata), self)
        except ValueError as error:
            raise self.explain(error) from error

    def upload(self, method: UploadMethod[Q, A], requests: Iteration[Q], call: Try) -> A:
        """`requests` is read by a thread of grpc."""
        failures: list[BaseException] = []

        def sent() -> Iterator[Q]:
            try:
                yield from requests
            except BaseException as error:
                failures.append(error)
                raise

        try:
            return method(sent(), timeout=call.timeout, metadata=call.metadata)
        except (grpc.RpcError, ValueError) as error:
            if failures:
                raise failures[0] from None
            raise self.explain(error) from error

    def explain(self, error: Exception) -> Exception:
        """What a call failed with, as callers know it."""
        if self._closing.is_set():
            return ClientClosedError()
        # Of grpc, a ValueError says nothing but that the channel is closed.
        return to_error(cast(FailedCall, error), self._url) if isinstance(error, grpc.RpcError) else error

    def check_open(self) -> None:
        if self._closing.is_set():
            raise ClientClosedError()

    def close(self) -> None:
        self._closing.set()
        self._channel.close()


class _Call(Protocol[T_co]):
    def __next__(self) -> T_co: ...
    def cancel(self) -> Any: ...


class Stream(Generic[A]):
    """The messages of one try. It ends with its last reference at the latest."""

    def __init__(self, call: _Call[A], channel: Channel) -> None:
        self._call = call
        self._channel = channel

    def read(self) -> A | None:
        """None at the end."""
        try:
            return next(self._call, None)
        except grpc.RpcError as error:
            raise self._channel.explain(error) from error

    def cancel(self) -> None:
        self._call.cancel()


class Background(Generic[T]):
    """Work that goes on by itself."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._future: Future[T] = Future()

        def run() -> None:
            try:
                self._future.set_result(work())
            except BaseException as error:
                self._future.set_exception(error)

        threading.Thread(target=run, daemon=True, name="drydock-reader").start()

    def wait(self) -> T:
        return self._future.result()


class Timer:
    """Acts after this time, unless it is cancelled before."""

    def __init__(self, seconds: float, act: Callable[[], None]) -> None:
        self._timer = threading.Timer(seconds, act)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        self._timer.cancel()


def tell(listener: Listener[T], value: T) -> None:
    listener(value)


def each(work: Callable[[Q], A], items: Iterable[Q], limit: int) -> list[A]:
    """The results in the order of the items, of which `limit` are worked on at one time. One that fails ends the
    rest."""
    with ThreadPoolExecutor(limit) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()


def sha256_of(content: memoryview) -> str:
    return hashlib.sha256(content).hexdigest()


def pieces_of(content: FileContent) -> Iteration[bytes]:
    """Pieces that fit into messages."""
    if isinstance(content, str):
        content = content.encode()
    if isinstance(content, (bytes, bytearray, memoryview)):
        yield from cut(content)
    elif hasattr(content, "read"):
        while part := content.read(PIECE_BYTES):
            yield from cut(part)
    else:
        for part in content:
            yield from cut(part)


def opens(function: Callable[P, T]) -> Callable[P, T]:
    """On asyncio more than this."""
    return function
