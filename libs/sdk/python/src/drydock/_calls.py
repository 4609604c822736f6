"""What calls have in common, on asyncio and on threads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc

from drydock._config import Settings
from drydock._errors import InvalidArgumentError
from drydock._version import VERSION

try:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError:
    _traces = None
else:
    _traces = TraceContextTextMapPropagator()

PIECE_BYTES = 256 * 1024
"""Of a file, in one message."""
_MAX_MESSAGE_BYTES = 48 * 1024 * 1024
"""Of the largest answer."""

CHANNEL_OPTIONS = (
    ("grpc.primary_user_agent", f"drydock-python/{VERSION}"),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A stream of a silent program is kept alive too.
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # One connection of each client's own.
    ("grpc.use_local_subchannel_pool", 1),
    # Calls are repeated by this package alone, which knows which ones may be.
    ("grpc.enable_retries", 0),
)


@dataclass(frozen=True)
class Try:
    """One try of a call."""

    credential: str
    timeout: float | None
    """Seconds."""

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """With the trace context of a program that has OpenTelemetry."""
        headers = {"authorization": f"Bearer {self.credential}"}
        if _traces is not None:
            _traces.inject(headers)
        return tuple(headers.items())


def credentials_of(settings: Settings, ca: bytes | None) -> grpc.ChannelCredentials | None:
    return grpc.ssl_channel_credentials(root_certificates=ca) if settings.tls else None


def bytes_in(content: Any) -> memoryview:
    """Of text or bytes. Raises InvalidArgumentError for anything else."""
    if isinstance(content, str):
        content = content.encode()
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise InvalidArgumentError(f"content is text or bytes, not {type(content).__name__}")
    return memoryview(content).cast("B")


def cut(content: Any) -> Iterator[bytes]:
    """Pieces that fit into messages."""
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise InvalidArgumentError(f"a file is written from bytes, not from {type(content).__name__}: open it as 'rb'")
    view = memoryview(content).cast("B")
    for at in range(0, len(view), PIECE_BYTES):
        yield bytes(view[at : at + PIECE_BYTES])
