"""Short-lived tokens, for which an API key is exchanged."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable

_DEFAULT_LIFETIME = 5 * 60.0
"""Seconds, of a token whose lifetime cannot be read."""
_FRESH = 0.8
"""Of its lifetime, after which a token is exchanged anew."""


class Tokens:
    """The credential to send: a token while it is fresh. Its lifetime is the token's own and counted from its arrival:
    the clock of this machine may be wrong. A credential that is a token already is sent as it is."""

    def __init__(self, api_key: str, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.exchanges = api_key.startswith("dk_")
        self._current = None if self.exchanges else (api_key, float("inf"))

    def fresh(self) -> str | None:
        current = self._current
        return current[0] if current and self._now() < current[1] else None

    def keep(self, token: str) -> str:
        self._current = (token, self._now() + _FRESH * _lifetime_of(token))
        return token

    def refused(self, credential: str) -> bool:
        """The platform refused this one. Tells whether another one may be had."""
        if self.exchanges and self._current and self._current[0] == credential:
            self._current = None
        return self.exchanges


def _lifetime_of(token: str) -> float:
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        seconds = float(claims["exp"] - claims["iat"])
    except (IndexError, KeyError, TypeError, ValueError):
        return _DEFAULT_LIFETIME
    return seconds if seconds > 0 else _DEFAULT_LIFETIME
