"""Files of a sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, overload

from drydock._async.connection import AsyncConnection, AsyncMessages
from drydock._async.paged import AsyncPaged
from drydock._durations import DEFAULT_REQUEST_TIMEOUT, Duration
from drydock._errors import FileNotFoundError, InvalidArgumentError
from drydock._on_asyncio import each, pieces_of
from drydock._records import FileInfo, to_file_info
from drydock.v1 import file_pb2

if TYPE_CHECKING:
    from drydock._on_asyncio import FileContent, Iteration

_AT_ONE_TIME = 8


class AsyncFiles:
    """Files of one sandbox. A path is absolute, or relative to the home. Methods raise FileNotFoundError,
    PermissionDeniedError, ConflictError (a directory where a file is needed, or the reverse) and SandboxNotRunningError
    as fits."""

    def __init__(self, connection: AsyncConnection, sandbox_id: str) -> None:
        self._connection = connection
        self._sandbox_id = sandbox_id

    @overload
    async def read(
        self,
        path: str,
        *,
        format: Literal["text"] = "text",
        offset_bytes: int = 0,
        length_bytes: int | None = None,
        request_timeout: Duration | None = None,
    ) -> str: ...

    @overload
    async def read(
        self,
        path: str,
        *,
        format: Literal["bytes"],
        offset_bytes: int = 0,
        length_bytes: int | None = None,
        request_timeout: Duration | None = None,
    ) -> bytes: ...

    @overload
    async def read(
        self,
        path: str,
        *,
        format: Literal["stream"],
        offset_bytes: int = 0,
        length_bytes: int | None = None,
        request_timeout: Duration | None = None,
    ) -> Iteration[bytes]: ...

    async def read(
        self,
        path: str,
        *,
        format: Literal["text", "bytes", "stream"] = "text",
        offset_bytes: int = 0,
        length_bytes: int | None = None,
        request_timeout: Duration | None = None,
    ) -> str | bytes | Iteration[bytes]:
        """The content of a file, from `offset_bytes` on, by default to its end. A stream is read as fast as its reader
        takes it, however large the file. In a text, bytes that are not UTF-8 are replaced."""
        if format not in ("text", "bytes", "stream"):
            raise InvalidArgumentError(f"format is text, bytes or stream, not {format!r}")
        request = file_pb2.ReadFileRequest(
            sandbox_id=self._sandbox_id, path=path, offset_bytes=offset_bytes, length_bytes=length_bytes
        )
        read = self._connection.stubs.files.ReadFile
        # Its first piece is there already, so that a file which does not exist is told of at once.
        messages = await self._connection.stream(read, request, request_timeout=request_timeout)
        if format == "stream":
            return _pieces(messages)
        content = bytearray()
        with messages:
            while (message := await messages.read()) is not None:
                content += message.data
        return content.decode(errors="replace") if format == "text" else bytes(content)

    async def write(
        self,
        path: str,
        content: FileContent,
        *,
        mode: int | None = None,
        request_timeout: Duration | None = None,
    ) -> FileInfo:
        """Writes a file and makes its parents; `mode` is of a new file, 0o644 by default. One that exists is
        replaced when the last byte has arrived, and not before. A write from a file or from pieces, which are read
        once, is never repeated."""
        head = file_pb2.WriteFileRequest(sandbox_id=self._sandbox_id, path=path, mode=mode)

        async def requests() -> Iteration[file_pb2.WriteFileRequest]:
            yield head
            async for piece in pieces_of(content):
                yield file_pb2.WriteFileRequest(data=piece)

        repeatable = isinstance(content, (str, bytes, bytearray, memoryview))
        answer = await self._connection.upload(
            self._connection.stubs.files.WriteFile,
            requests,
            request_timeout=request_timeout,
            repeatable=repeatable,
            once=not repeatable,
        )
        return to_file_info(answer.file)

    async def write_files(
        self,
        files: Mapping[str, FileContent],
        *,
        mode: int | None = None,
        request_timeout: Duration | None = None,
    ) -> Sequence[FileInfo]:
        """Writes several files, by their paths, eight at a time."""

        async def write(file: tuple[str, FileContent]) -> FileInfo:
            path, content = file
            return await self.write(path, content, mode=mode, request_timeout=request_timeout)

        return await each(write, files.items(), _AT_ONE_TIME)

    def list(
        self, path: str = "", *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT
    ) -> AsyncPaged[FileInfo]:
        """Entries of a directory, by name. Default: the home."""

        async def fetch(page_token: str) -> tuple[Sequence[FileInfo], str]:
            request = file_pb2.ListFilesRequest(sandbox_id=self._sandbox_id, path=path, page_token=page_token)
            answer = await self._connection.unary(
                self._connection.stubs.files.ListFiles, request, request_timeout=request_timeout
            )
            return [to_file_info(file) for file in answer.files], answer.next_page_token

        return AsyncPaged(fetch)

    async def get_info(self, path: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> FileInfo:
        """What is at a path. A symbolic link is described, not followed."""
        request = file_pb2.StatFileRequest(sandbox_id=self._sandbox_id, path=path)
        answer = await self._connection.unary(
            self._connection.stubs.files.StatFile, request, request_timeout=request_timeout
        )
        return to_file_info(answer.file)

    async def exists(self, path: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> bool:
        """Whether there is anything at a path."""
        try:
            await self.get_info(path, request_timeout=request_timeout)
        except FileNotFoundError:
            return False
        return True

    async def make_dir(self, path: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> FileInfo:
        """Makes a directory and its parents. One that exists is a success."""
        request = file_pb2.MakeDirectoryRequest(sandbox_id=self._sandbox_id, path=path)
        answer = await self._connection.unary(
            self._connection.stubs.files.MakeDirectory, request, request_timeout=request_timeout
        )
        return to_file_info(answer.file)

    async def rename(
        self, path: str, destination: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT
    ) -> FileInfo:
        """Moves a file or directory. A file at the destination is replaced, and its parents are made."""
        request = file_pb2.MoveFileRequest(sandbox_id=self._sandbox_id, path=path, destination=destination)
        answer = await self._connection.unary(
            self._connection.stubs.files.MoveFile, request, request_timeout=request_timeout, repeatable=False
        )
        return to_file_info(answer.file)

    async def remove(
        self,
        path: str,
        *,
        recursive: bool = False,
        request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT,
    ) -> None:
        """Removes a file, a link, or with `recursive` a directory with all that is in it."""
        request = file_pb2.RemoveFileRequest(sandbox_id=self._sandbox_id, path=path, recursive=recursive)
        await self._connection.unary(
            self._connection.stubs.files.RemoveFile, request, request_timeout=request_timeout, repeatable=False
        )


async def _pieces(messages: AsyncMessages[file_pb2.ReadFileResponse]) -> Iteration[bytes]:
    with messages:
        while (message := await messages.read()) is not None:
            yield message.data
