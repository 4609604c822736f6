"""When a call is made again, and a stream joined again."""

from __future__ import annotations

import random
import time

from drydock._durations import Deadline
from drydock._errors import DrydockError, NoCapacityError, QuotaExceededError, UnavailableError

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 2.0
_MAX_BREAKS = 10
"""Of a stream that is joined again, one after the other."""
_LASTING = 30.0


def is_passing(error: DrydockError) -> bool:
    """Whether a call that failed with this may succeed when it is made again."""
    if isinstance(error, (NoCapacityError, QuotaExceededError)):
        return error.retry_after is not None
    return isinstance(error, UnavailableError)


class Attempts:
    """Counts the tries of a call."""

    def __init__(self, max_retries: int, deadline: Deadline) -> None:
        self._max_retries = max_retries
        self._deadline = deadline
        self._tries = 0

    def wait_after(self, error: DrydockError) -> float:
        """Seconds until the next try. Raises the error where there is none."""
        self._tries += 1
        if self._tries > self._max_retries or not is_passing(error):
            raise error
        wait = _wait(self._tries, error)
        if not self._deadline.bears(wait):
            raise error
        return wait


class Breaks:
    """Counts how often a stream breaks that is then joined again: ten times at most since it brought something new, or
    lasted half a minute."""

    def __init__(self) -> None:
        self._breaks = 0
        self._joined = time.monotonic()

    def reset(self) -> None:
        """The stream brought something new."""
        self._breaks = 0

    def wait_after(self, error: DrydockError) -> float:
        """Seconds until it is joined again, the first time 0. Raises the error where that will not pass, or breaks the
        stream too often."""
        if time.monotonic() - self._joined > _LASTING:
            self._breaks = 0
        self._breaks += 1
        if not isinstance(error, UnavailableError) or self._breaks > _MAX_BREAKS:
            raise error
        wait = 0.0 if self._breaks == 1 else _wait(self._breaks - 1, error)
        self._joined = time.monotonic() + wait
        return wait


def _wait(tries: int, error: DrydockError) -> float:
    """As the platform asked, else twice as long each time; a part of it by chance."""
    growing = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (tries - 1))
    asked = growing / 2 if error.retry_after is None else error.retry_after.total_seconds()
    return asked + random.random() * growing / 2
