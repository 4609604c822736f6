"""Sandboxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType

from google.protobuf.field_mask_pb2 import FieldMask

from drydock._async.commands import AsyncCommands
from drydock._async.connection import AsyncConnection, environment_connection
from drydock._async.files import AsyncFiles
from drydock._async.paged import AsyncPaged
from drydock._async.pty import AsyncPty
from drydock._durations import DEFAULT_REQUEST_TIMEOUT, Duration, to_message
from drydock._errors import NotFoundError, SandboxNotRunningError
from drydock._limits import ResourceLimits, to_limits
from drydock._messages import new_request_id, number_of
from drydock._on_asyncio import opens
from drydock._records import SandboxInfo, SandboxState, to_sandbox_info
from drydock.v1 import sandbox_pb2


class AsyncSandbox:
    """A sandbox that runs. Leaving its scope deletes it, unless `keep` is set."""

    id: str
    info: SandboxInfo
    """As it was told of last: by create, connect, `get_info` or `update`."""
    commands: AsyncCommands
    files: AsyncFiles
    pty: AsyncPty

    def __init__(self, connection: AsyncConnection, info: SandboxInfo, *, keep: bool) -> None:
        self.id = info.id
        self.info = info
        self.commands = AsyncCommands(connection, info.id)
        self.files = AsyncFiles(connection, info.id)
        self.pty = AsyncPty(connection, info.id)
        self._connection = connection
        self._keep = keep

    @staticmethod
    @opens
    async def create(
        template: str,
        *,
        lifetime: Duration | None = None,
        limits: ResourceLimits | None = None,
        environment: Mapping[str, str] | None = None,
        metadata: Mapping[str, str] | None = None,
        keep: bool = False,
        request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT,
    ) -> AsyncSandbox:
        """As `sandboxes.create` of the client that the environment describes."""
        return await AsyncSandboxes(environment_connection()).create(
            template,
            lifetime=lifetime,
            limits=limits,
            environment=environment,
            metadata=metadata,
            keep=keep,
            request_timeout=request_timeout,
        )

    @staticmethod
    @opens
    async def connect(sandbox_id: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> AsyncSandbox:
        """As `sandboxes.connect` of the client that the environment describes."""
        return await AsyncSandboxes(environment_connection()).connect(sandbox_id, request_timeout=request_timeout)

    @staticmethod
    def list(
        *,
        states: Sequence[SandboxState] = (),
        metadata: Mapping[str, str] | None = None,
        request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT,
    ) -> AsyncPaged[SandboxInfo]:
        """As `sandboxes.list` of the client that the environment describes."""
        sandboxes = AsyncSandboxes(environment_connection())
        return sandboxes.list(states=states, metadata=metadata, request_timeout=request_timeout)

    async def get_info(self, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> SandboxInfo:
        """Asks how it is now."""
        self.info = await AsyncSandboxes(self._connection).get(self.id, request_timeout=request_timeout)
        return self.info

    async def update(
        self,
        *,
        lifetime: Duration | None = None,
        metadata: Mapping[str, str] | None = None,
        request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT,
    ) -> SandboxInfo:
        """Changes its lifetime, counted anew from now, its labels, all of which are replaced, or both."""
        paths = [name for name, value in (("lifetime", lifetime), ("metadata", metadata)) if value is not None]
        request = sandbox_pb2.UpdateSandboxRequest(
            sandbox_id=self.id,
            lifetime=to_message("lifetime", lifetime),
            metadata=metadata,
            update_mask=FieldMask(paths=paths),
            request_id=new_request_id(),
        )
        answer = await self._connection.unary(
            self._connection.stubs.sandboxes.UpdateSandbox, request, request_timeout=request_timeout
        )
        self.info = to_sandbox_info(answer.sandbox)
        return self.info

    async def kill(self, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> bool:
        """Deletes it with everything in it. Tells whether it existed; that it has stopped already is no error."""
        request = sandbox_pb2.DeleteSandboxRequest(sandbox_id=self.id, request_id=new_request_id())
        try:
            await self._connection.unary(
                self._connection.stubs.sandboxes.DeleteSandbox, request, request_timeout=request_timeout
            )
        except NotFoundError:
            return False
        return True

    async def __aenter__(self) -> AsyncSandbox:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._keep:
            await self.kill()


class AsyncSandboxes:
    """The sandboxes of the organisation."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @opens
    async def create(
        self,
        template: str,
        *,
        lifetime: Duration | None = None,
        limits: ResourceLimits | None = None,
        environment: Mapping[str, str] | None = None,
        metadata: Mapping[str, str] | None = None,
        keep: bool = False,
        request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT,
    ) -> AsyncSandbox:
        """Makes a sandbox and answers when it runs. `lifetime` is 1 s to 24 h, by default 5 minutes. `environment`
        is of every command: at most 128 variables, 32 KiB in all. `metadata` are labels of your own, to find it by:
        at most 32, keys to 64 and values to 256 characters. With `keep`, leaving its scope does not delete it.
        Raises NotFoundError (TEMPLATE_NOT_FOUND), QuotaExceededError, NoCapacityError, InvalidArgumentError."""
        request = sandbox_pb2.CreateSandboxRequest(
            template=template,
            lifetime=to_message("lifetime", lifetime),
            limits=to_limits(limits),
            environment=environment,
            metadata=metadata,
            request_id=new_request_id(),
        )
        answer = await self._connection.unary(
            self._connection.stubs.sandboxes.CreateSandbox, request, request_timeout=request_timeout
        )
        return AsyncSandbox(self._connection, to_sandbox_info(answer.sandbox), keep=keep)

    @opens
    async def connect(
        self, sandbox_id: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT
    ) -> AsyncSandbox:
        """A sandbox that runs already; leaving its scope does not delete it. Raises NotFoundError,
        SandboxNotRunningError."""
        info = await self.get(sandbox_id, request_timeout=request_timeout)
        if info.state == "STOPPED":
            raise SandboxNotRunningError(
                f"the sandbox {sandbox_id} has stopped ({info.stop_reason})",
                metadata={"state": info.state, "stop_reason": info.stop_reason or ""},
            )
        return AsyncSandbox(self._connection, info, keep=True)

    async def get(self, sandbox_id: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> SandboxInfo:
        """One sandbox, running or stopped. Raises NotFoundError."""
        request = sandbox_pb2.GetSandboxRequest(sandbox_id=sandbox_id)
        answer = await self._connection.unary(
            self._connection.stubs.sandboxes.GetSandbox, request, request_timeout=request_timeout
        )
        return to_sandbox_info(answer.sandbox)

    def list(
        self,
        *,
        states: Sequence[SandboxState] = (),
        metadata: Mapping[str, str] | None = None,
        request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT,
    ) -> AsyncPaged[SandboxInfo]:
        """Newest first: of these `states`, by default all, and only those with all of these labels."""
        numbers = [number_of(sandbox_pb2.Sandbox.State, "states", each) for each in states]
        labels = [f"{key}={value}" for key, value in (metadata or {}).items()]

        async def fetch(page_token: str) -> tuple[Sequence[SandboxInfo], str]:
            request = sandbox_pb2.ListSandboxesRequest(page_token=page_token, states=numbers, metadata_filters=labels)
            answer = await self._connection.unary(
                self._connection.stubs.sandboxes.ListSandboxes, request, request_timeout=request_timeout
            )
            return [to_sandbox_info(each) for each in answer.sandboxes], answer.next_page_token

        return AsyncPaged(fetch)
