"""Errors of gRPC, as callers know them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import grpc
from google.rpc import error_details_pb2, status_pb2

from drydock._errors import (
    ConflictError,
    ConnectionLostError,
    DrydockError,
    FieldViolation,
    FileNotFoundError,
    InvalidArgumentError,
    NoCapacityError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    SandboxNotRunningError,
    TimeoutError,
    UnauthenticatedError,
    UnavailableError,
)

CLASS_OF_REASON: Mapping[str, type[DrydockError]] = {
    "INVALID_FIELD": InvalidArgumentError,
    "MALFORMED_REQUEST": InvalidArgumentError,
    "REQUEST_TOO_LARGE": InvalidArgumentError,
    "REQUEST_ID_REUSED": ConflictError,
    "DEADLINE_TOO_SHORT": TimeoutError,
    "CREDENTIAL_INVALID": UnauthenticatedError,
    "SCOPE_MISSING": PermissionDeniedError,
    "CALLER_FORBIDDEN": PermissionDeniedError,
    "RATE_LIMITED": QuotaExceededError,
    "SANDBOX_NOT_FOUND": NotFoundError,
    "PROCESS_NOT_FOUND": NotFoundError,
    "FILE_NOT_FOUND": FileNotFoundError,
    "EXECUTION_NOT_FOUND": NotFoundError,
    "TEMPLATE_NOT_FOUND": NotFoundError,
    "ORGANIZATION_NOT_FOUND": NotFoundError,
    "API_KEY_NOT_FOUND": NotFoundError,
    "ROUTE_NOT_FOUND": NotFoundError,
    "LANGUAGE_NOT_FOUND": InvalidArgumentError,
    "WEBHOOK_NOT_FOUND": NotFoundError,
    "BLOB_NOT_FOUND": NotFoundError,
    "TEST_SET_NOT_FOUND": NotFoundError,
    "BLOB_HASH_MISMATCH": InvalidArgumentError,
    "PACKAGE_INVALID": InvalidArgumentError,
    "PACKAGE_UNSUPPORTED": InvalidArgumentError,
    "DELIVERY_NOT_FOUND": NotFoundError,
    "SANDBOX_NOT_RUNNING": SandboxNotRunningError,
    "PROCESS_ENDED": ConflictError,
    "PROCESS_INPUT_CLOSED": ConflictError,
    "FILE_WRONG_TYPE": ConflictError,
    "FILE_PERMISSION_DENIED": PermissionDeniedError,
    "DISK_FULL": QuotaExceededError,
    "FILE_EXISTS": ConflictError,
    "COMMAND_NOT_FOUND": InvalidArgumentError,
    "SANDBOX_STOPPED": SandboxNotRunningError,
    "EXECUTION_NOT_FINISHED": ConflictError,
    "TOO_MANY_STREAMS": QuotaExceededError,
    "QUOTA_EXCEEDED": QuotaExceededError,
    "NO_CAPACITY": NoCapacityError,
    "SERVICE_UNAVAILABLE": UnavailableError,
    "SANDBOX_START_FAILED": UnavailableError,
    "QUEUE_FULL": QuotaExceededError,
    "NOT_IMPLEMENTED": DrydockError,
    "INTERNAL": DrydockError,
}
"""Of each reason of the API; a test compares it with the contract."""

_CLASS_OF_CODE: Mapping[grpc.StatusCode, type[DrydockError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    grpc.StatusCode.OUT_OF_RANGE: InvalidArgumentError,
    grpc.StatusCode.DEADLINE_EXCEEDED: TimeoutError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: ConflictError,
    grpc.StatusCode.FAILED_PRECONDITION: ConflictError,
    grpc.StatusCode.ABORTED: ConflictError,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: QuotaExceededError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
}
"""For an error without a reason, or with one that a newer server has added."""

_BROKEN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED}
"""Codes that gRPC itself gives to calls whose connection broke."""


class FailedCall(Protocol):
    """The errors of both kinds of calls of grpc."""

    def code(self) -> grpc.StatusCode: ...
    def details(self) -> str | None: ...
    def initial_metadata(self) -> Any: ...
    def trailing_metadata(self) -> Any: ...


def class_of(reason: str, otherwise: type[DrydockError] = DrydockError) -> type[DrydockError]:
    """The class of errors with this reason."""
    return CLASS_OF_REASON.get(reason, otherwise)


def to_error(call: FailedCall, url: str) -> DrydockError:
    """The error of a call that failed, from its status and its metadata."""
    code, message = call.code(), call.details() or ""
    trailing = _entries(call.trailing_metadata())
    request_id = {**trailing, **_entries(call.initial_metadata())}.get("x-request-id")
    class_of_code = _CLASS_OF_CODE.get(code, DrydockError)
    details = _read_details(trailing.get("grpc-status-details-bin"))
    if "reason" in details:
        return class_of(details["reason"], class_of_code)(message, request_id=_text(request_id), **details)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return TimeoutError("no answer within request_timeout", request_id=_text(request_id))
    if code in _BROKEN:
        return ConnectionLostError(f"{url} cannot be reached: {message}", request_id=_text(request_id))
    return class_of_code(f"{url} does not answer as Drydock does: {message}", request_id=_text(request_id))


def _entries(metadata: Iterable[tuple[str, str | bytes]] | None) -> dict[str, str | bytes]:
    return dict(metadata or ())


def _text(value: str | bytes | None) -> str | None:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _read_details(encoded: str | bytes | None) -> dict[str, Any]:
    if not isinstance(encoded, bytes):
        return {}
    details: dict[str, Any] = {}
    for detail in status_pb2.Status.FromString(encoded).details:
        info, retry, request = (
            error_details_pb2.ErrorInfo(),
            error_details_pb2.RetryInfo(),
            error_details_pb2.BadRequest(),
        )
        if detail.Unpack(info):
            details |= {"reason": info.reason, "metadata": dict(info.metadata)}
        elif detail.Unpack(retry):
            details["retry_after"] = retry.retry_delay.ToTimedelta()
        elif detail.Unpack(request):
            violations = ((each.field, each.description) for each in request.field_violations)
            details["field_violations"] = tuple(FieldViolation(*violation) for violation in violations)
    return details
