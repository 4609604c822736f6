"""Calls of the platform over one connection, with their tokens and repetitions."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

from drydock._calls import Try
from drydock._config import Settings, resolve_settings
from drydock._durations import DEFAULT_REQUEST_TIMEOUT, Deadline, Duration
from drydock._errors import DrydockError, InvalidArgumentError, UnauthenticatedError
from drydock._on_asyncio import Channel, Stream, Stubs
from drydock._retries import Attempts
from drydock._tokens import Tokens
from drydock.v1 import auth_pb2

if TYPE_CHECKING:
    from drydock._on_asyncio import Attempt, Iteration, StreamMethod, UnaryMethod, UploadMethod

T = TypeVar("T")
Q = TypeVar("Q")
A = TypeVar("A")

DEFAULT_RETRIES = 10

_log = logging.getLogger("drydock")


class AsyncConnection:
    def __init__(
        self, settings: Settings, *, ca: str | bytes | None = None, max_retries: int = DEFAULT_RETRIES
    ) -> None:
        if max_retries < 0:
            raise InvalidArgumentError("max_retries is 0 or more")
        self._settings = settings
        self._channel = Channel(settings, ca.encode() if isinstance(ca, str) else ca)
        self._max_retries = max_retries
        self._tokens = Tokens(settings.api_key)

    @property
    def stubs(self) -> Stubs:
        return self._channel.stubs

    async def unary(
        self,
        method: UnaryMethod[Q, A],
        request: Q,
        *,
        request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT,
        repeatable: bool = True,
    ) -> A:
        """`repeatable`: to make the call twice does what making it once does."""

        async def attempt(call: Try) -> A:
            return await self._channel.unary(method, request, call)

        return await self._repeat(_name(request), attempt, request_timeout, repeatable=repeatable)

    async def stream(
        self, method: StreamMethod[Q, A], request: Q, *, request_timeout: Duration | None = None
    ) -> AsyncMessages[A]:
        """Answers with the first message. The call is repeated until then at most."""

        async def attempt(call: Try) -> AsyncMessages[A]:
            stream = self._channel.stream(method, request, call)
            try:
                return AsyncMessages(stream, await stream.read())
            except BaseException:
                stream.cancel()
                raise

        return await self._repeat(_name(request), attempt, request_timeout, repeatable=True)

    async def upload(
        self,
        method: UploadMethod[Q, A],
        requests: Callable[[], Iteration[Q]],
        *,
        request_timeout: Duration | None = None,
        repeatable: bool,
        once: bool = False,
    ) -> A:
        """Sends `requests`, as fast as they are taken. `once`: they come from what can be read only once, so that the
        call is not even made again where its token was refused."""

        async def attempt(call: Try) -> A:
            return await self._channel.upload(method, requests(), call)

        return await self._repeat("an upload", attempt, request_timeout, repeatable=repeatable, once=once)

    async def sleep(self, seconds: float) -> None:
        """Raises ClientClosedError as soon as the connection is closed."""
        await self._channel.sleep(seconds)

    async def close(self) -> None:
        """Ends all that is under way. That, and every later call, fails with ClientClosedError."""
        await self._channel.close()

    async def _repeat(
        self,
        name: str,
        attempt: Attempt[T],
        request_timeout: Duration | None,
        *,
        repeatable: bool,
        once: bool = False,
    ) -> T:
        """Makes tries of a call until one succeeds, fails for good, or none is left."""
        deadline = Deadline(request_timeout)
        attempts = Attempts(self._max_retries, deadline)
        renewed = False
        while True:
            credential = None
            try:
                credential = await self._credential(deadline)
                answer = await attempt(Try(credential, deadline.left()))
                _log.debug("%s: answered", name)
                return answer
            except UnauthenticatedError as error:
                _log.debug("%s: %s (%s)", name, error.reason, error.request_id)
                # Only a refusal before the call began leaves it unmade.
                if credential is None or not self._tokens.refused(credential) or renewed or once:
                    raise
                renewed = True
            except DrydockError as error:
                _log.debug("%s: %s (%s)", name, error.reason, error.request_id)
                if credential is not None and not repeatable:
                    raise
                wait = attempts.wait_after(error)
                _log.debug("%s: again in %.2f s", name, wait)
                await self._channel.sleep(wait)

    async def _credential(self, deadline: Deadline) -> str:
        credential = self._tokens.fresh()
        if credential is not None:
            return credential
        async with self._channel.alone(deadline.left()):
            return self._tokens.fresh() or self._tokens.keep(await self._exchange(deadline))

    async def _exchange(self, deadline: Deadline) -> str:
        left = deadline.left()
        call = Try(
            self._settings.api_key, DEFAULT_REQUEST_TIMEOUT if left is None else min(left, DEFAULT_REQUEST_TIMEOUT)
        )
        answer = await self._channel.unary(self.stubs.auth.ExchangeToken, auth_pb2.ExchangeTokenRequest(), call)
        _log.debug("the API key was exchanged for a token")
        return answer.token


def _name(request: object) -> str:
    """Of its method, for the log, which shows nothing that is in it."""
    return type(request).__name__.removesuffix("Request")


class AsyncMessages(Generic[A]):
    """The messages of a stream. Leaving its scope ends the call."""

    def __init__(self, stream: Stream[A], first: A | None) -> None:
        self._stream = stream
        self._first = first
        self._begun = False

    async def read(self) -> A | None:
        """The next message; None at the end."""
        if self._begun:
            return await self._stream.read()
        self._begun = True
        first, self._first = self._first, None
        return first

    def cancel(self) -> None:
        self._stream.cancel()

    def __enter__(self) -> AsyncMessages[A]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()


@cache
def environment_connection() -> AsyncConnection:
    """Of calls without a client: made once, from the environment or the profile."""
    return AsyncConnection(resolve_settings())
