"""Lengths of time: seconds as a number, or a timedelta."""

from __future__ import annotations

import math
import time
from datetime import timedelta
from typing import TypeAlias

from google.protobuf.duration_pb2 import Duration as DurationMessage

from drydock._errors import FieldViolation, InvalidArgumentError

Duration: TypeAlias = float | timedelta
"""Seconds, or a timedelta; above 0."""

DEFAULT_REQUEST_TIMEOUT = 60.0
_LONGEST_SECONDS = 10 * 366 * 86_400
"""A longer limit of a call is none: gRPC could not count it."""


def seconds_of(name: str, duration: Duration) -> float:
    """Raises InvalidArgumentError for a length of time that is not above 0."""
    try:
        seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    except (TypeError, ValueError):
        raise _refused(name, f"is a number of seconds or a timedelta, not {duration!r}") from None
    if not math.isfinite(seconds) or seconds <= 0:
        raise _refused(name, "must be more than 0")
    return seconds


def to_message(name: str, duration: Duration | None) -> DurationMessage | None:
    if duration is None:
        return None
    seconds = seconds_of(name, duration)
    whole = math.floor(seconds)
    nanos = round((seconds - whole) * 1e9)
    return DurationMessage(seconds=whole + nanos // 10**9, nanos=nanos % 10**9)


class Deadline:
    """When a call has to be over, with its repetitions."""

    def __init__(self, request_timeout: Duration | None) -> None:
        seconds = None if request_timeout is None else seconds_of("request_timeout", request_timeout)
        unlimited = seconds is None or seconds > _LONGEST_SECONDS
        self._at = None if unlimited or seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Seconds, at least 0; None where there is no limit."""
        return None if self._at is None else max(0.0, self._at - time.monotonic())

    def bears(self, seconds: float) -> bool:
        """Whether it is later than in this many seconds."""
        left = self.left()
        return left is None or seconds < left


def _refused(field: str, description: str) -> InvalidArgumentError:
    violations = (FieldViolation(field, description),)
    return InvalidArgumentError(f"{field} {description}", field_violations=violations)
