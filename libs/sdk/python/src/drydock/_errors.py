"""What calls fail with. A program that fails is a result, not an error, unless asked for (`check`)."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal


@dataclass(frozen=True)
class FieldViolation:
    """What is wrong with a field of a request."""

    field: str
    description: str


class DrydockError(Exception):
    """The base of all errors of this package."""

    message: str
    reason: str
    """A stable name of the API, such as `SANDBOX_NOT_FOUND`. A newer server may know more of them."""
    request_id: str | None
    """Names the request in the logs of the platform; None where no answer came."""
    retry_after: timedelta | None
    """After which trying again may help."""
    field_violations: Sequence[FieldViolation]
    metadata: Mapping[str, str]
    """More about the reason, such as `state` of SANDBOX_NOT_RUNNING."""

    _reason = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        request_id: str | None = None,
        retry_after: timedelta | None = None,
        field_violations: Sequence[FieldViolation] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = self._reason if reason is None else reason
        self.request_id = request_id
        self.retry_after = retry_after
        self.field_violations = field_violations
        self.metadata = {} if metadata is None else metadata

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Without its arguments: pickle would call subclasses with those of the base.
        return (_restored, (type(self),), self.__dict__)


def _restored(cls: type[DrydockError]) -> DrydockError:
    return cls.__new__(cls)


class NotFoundError(DrydockError):
    """There is no such thing in the caller's organisation."""


class FileNotFoundError(NotFoundError, builtins.FileNotFoundError):
    """There is no such file or directory in the sandbox."""

    _reason = "FILE_NOT_FOUND"


class InvalidArgumentError(DrydockError, ValueError):
    """The request cannot be right, now or later."""

    _reason = "INVALID_FIELD"


class UnauthenticatedError(DrydockError):
    """There is no credential, or one that is unknown, expired or revoked."""

    _reason = "CREDENTIAL_INVALID"


class PermissionDeniedError(DrydockError):
    """The credential, or the sandbox's user, may not do that."""


class QuotaExceededError(DrydockError):
    """The organisation, or a sandbox, has as much as it may, or makes too many calls."""


class NoCapacityError(DrydockError):
    """The platform has no room right now."""


class ConflictError(DrydockError):
    """What there is stands in the way: a path that exists, a request id with other content, a state."""


class UnavailableError(DrydockError):
    """The platform, or a part of it, cannot be reached."""

    _reason = "SERVICE_UNAVAILABLE"


class ConnectionLostError(UnavailableError):
    """The connection broke under a call, or there was none. Whether the platform did what was asked is not known."""


class ClientClosedError(DrydockError):
    """The client was closed before the call, or under it; whether the platform did what was asked is then not known."""

    _reason = "CLIENT_CLOSED"

    def __init__(self, message: str = "the client is closed: make calls before close(), or by a new client") -> None:
        super().__init__(message)


class TimeoutError(DrydockError, builtins.TimeoutError):
    """A `timeout` or a `request_timeout` was over."""

    _reason = "DEADLINE_TOO_SHORT"


class SandboxNotRunningError(DrydockError):
    """The sandbox has stopped; `metadata["state"]` and `metadata["stop_reason"]` say more."""

    _reason = "SANDBOX_NOT_RUNNING"


class OutputLostError(DrydockError):
    """A stream was joined again too late: bytes that were written meanwhile are no longer kept."""

    stream: Literal["stdout", "stderr"]
    lost_bytes: int

    _reason = "OUTPUT_LOST"

    def __init__(self, stream: Literal["stdout", "stderr"], lost_bytes: int) -> None:
        super().__init__(f"{lost_bytes} bytes of {stream} are lost: they were written while nobody read")
        self.stream = stream
        self.lost_bytes = lost_bytes
