"""Bytes that are sent once, and named by their hash from then on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from drydock._async.connection import AsyncConnection
from drydock._calls import bytes_in, cut
from drydock._durations import DEFAULT_REQUEST_TIMEOUT, Duration
from drydock._messages import texts_in
from drydock._on_asyncio import sha256_of
from drydock._records import BlobInfo, BlobStat, to_blob_info
from drydock.v1 import blob_pb2

if TYPE_CHECKING:
    from drydock._on_asyncio import Iteration


class AsyncBlobs:
    """Bytes that are sent once and named by their SHA-256, as 64 lower-case hexadecimal digits, from then on."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(
        self, content: str | bytes | bytearray | memoryview, *, request_timeout: Duration | None = None
    ) -> BlobInfo:
        """Keeps text or bytes, to 256 MiB. One that nothing uses is deleted after 30 days. Raises QuotaExceededError,
        InvalidArgumentError."""
        view = bytes_in(content)
        sha256 = await sha256_of(view)

        async def requests() -> Iteration[blob_pb2.PutBlobRequest]:
            yield blob_pb2.PutBlobRequest(sha256=sha256)
            for piece in cut(view):
                yield blob_pb2.PutBlobRequest(data=piece)

        answer = await self._connection.upload(
            self._connection.stubs.blobs.PutBlob, requests, request_timeout=request_timeout, repeatable=True
        )
        return to_blob_info(answer.blob)

    async def read(self, sha256: str, *, request_timeout: Duration | None = None) -> bytes:
        """The bytes of a blob. Raises NotFoundError (BLOB_NOT_FOUND)."""
        request = blob_pb2.ReadBlobRequest(sha256=sha256)
        read = self._connection.stubs.blobs.ReadBlob
        content = bytearray()
        with await self._connection.stream(read, request, request_timeout=request_timeout) as messages:
            while (message := await messages.read()) is not None:
                content += message.data
        return bytes(content)

    async def stat(
        self, sha256s: Sequence[str], *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT
    ) -> BlobStat:
        """Which of up to 1,000 blobs are there, and which are not. It counts as a use of those that are."""
        request = blob_pb2.StatBlobsRequest(sha256s=texts_in("sha256s", sha256s))
        answer = await self._connection.unary(
            self._connection.stubs.blobs.StatBlobs, request, request_timeout=request_timeout
        )
        return BlobStat(blobs=tuple(to_blob_info(each) for each in answer.blobs), missing=tuple(answer.missing_sha256s))
