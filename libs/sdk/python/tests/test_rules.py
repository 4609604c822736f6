"""The rules of the package that need no server."""

from __future__ import annotations

import base64
import json
import pickle
from datetime import timedelta
from pathlib import Path

import pytest

from drydock import (
    CommandExitError,
    CommandResult,
    DrydockError,
    FileNotFoundError,
    InvalidArgumentError,
    NoCapacityError,
    OutputLostError,
    QuotaExceededError,
    TimeoutError,
    UnauthenticatedError,
    UnavailableError,
)
from drydock._config import resolve_settings
from drydock._durations import Deadline, seconds_of, to_message
from drydock._retries import Attempts, Breaks
from drydock._tokens import Tokens


def test_a_duration_is_seconds_or_a_timedelta_above_0() -> None:
    assert seconds_of("timeout", 90) == seconds_of("timeout", timedelta(minutes=1, seconds=30)) == 90
    for wrong in (0, -1, float("nan"), float("inf"), timedelta(0), "90s", None):
        with pytest.raises(InvalidArgumentError, match=r"^timeout "):
            seconds_of("timeout", wrong)  # type: ignore[arg-type]
    message = to_message("lifetime", 1.9999999999)
    assert message is not None
    assert (message.seconds, message.nanos) == (2, 0)


def test_a_call_is_repeated_with_growing_waits_until_its_deadline() -> None:
    attempts = Attempts(3, Deadline(None))
    waits = [attempts.wait_after(UnavailableError("x")) for _ in range(3)]
    assert all(low <= wait <= 2 * low for low, wait in zip((0.05, 0.1, 0.2), waits, strict=True))
    with pytest.raises(UnavailableError):
        attempts.wait_after(UnavailableError("x"))
    later = QuotaExceededError("x", retry_after=timedelta(seconds=5))
    assert 5 <= Attempts(1, Deadline(60)).wait_after(later) <= 5.1
    with pytest.raises(QuotaExceededError):
        Attempts(1, Deadline(1)).wait_after(later)
    for lasting in (QuotaExceededError("x"), NoCapacityError("x"), DrydockError("x")):
        with pytest.raises(DrydockError):
            Attempts(1, Deadline(None)).wait_after(lasting)


def test_a_stream_is_joined_ten_times_without_anything_new() -> None:
    breaks = Breaks()
    assert breaks.wait_after(UnavailableError("x")) == 0
    for _ in range(9):
        assert 0 < breaks.wait_after(UnavailableError("x")) <= 2
    with pytest.raises(UnavailableError):
        breaks.wait_after(UnavailableError("x"))
    breaks.reset()
    assert breaks.wait_after(UnavailableError("x")) == 0
    with pytest.raises(TimeoutError):
        breaks.wait_after(TimeoutError("x"))


def test_a_token_is_fresh_for_most_of_its_lifetime_whatever_the_clock_says() -> None:
    def token(iat: int, exp: int) -> str:
        claims = base64.urlsafe_b64encode(json.dumps({"iat": iat, "exp": exp}).encode()).decode().rstrip("=")
        return f"header.{claims}.signature"

    now = 1_000.0
    tokens = Tokens("dk_x", lambda: now)
    assert tokens.fresh() is None
    for made, seconds in ((token(7, 107), 80), ("nonsense", 240), (token(107, 7), 240)):
        tokens.keep(made)
        now += seconds - 1
        assert tokens.fresh() == made
        now += 2
        assert tokens.fresh() is None
    tokens.keep("one")
    assert tokens.refused("another")
    assert tokens.fresh() == "one"
    assert tokens.refused("one")
    assert tokens.fresh() is None
    given = Tokens("a.b.c")
    assert (given.fresh(), given.refused("a.b.c"), given.fresh()) == ("a.b.c", False, "a.b.c")


def test_arguments_win_over_environment_over_profile(tmp_path: Path) -> None:
    file = tmp_path / "drydock" / "config.toml"
    file.parent.mkdir()
    file.write_text('[profiles.default]\nurl = "http://d"\napi_key = "d"\n[profiles.p]\nurl = "https://p:1/"\n')
    home = {"XDG_CONFIG_HOME": str(tmp_path)}
    both = {**home, "DRYDOCK_URL": "http://e", "DRYDOCK_API_KEY": "e"}
    settings = resolve_settings(environment=home)
    assert (settings.address, settings.api_key, settings.tls) == ("d:80", "d", False)
    settings = resolve_settings(url="https://[::1]:8443", environment=both)
    assert (settings.address, settings.url, settings.api_key) == ("[::1]:8443", "https://[::1]:8443", "e")
    settings = resolve_settings(profile="p", environment=both)
    assert (settings.address, settings.url, settings.api_key) == ("p:1", "https://p:1", "e")
    with pytest.raises(InvalidArgumentError, match="has no profile 'q'"):
        resolve_settings(profile="q", environment=home)
    with pytest.raises(UnauthenticatedError, match="no API key"):
        resolve_settings(environment={"XDG_CONFIG_HOME": "/nowhere"})
    for broken in ('[profiles.default]\napi_key = "secret', "[profiles.default]\napi_key = 1\n"):
        file.write_text(broken)
        with pytest.raises(InvalidArgumentError) as raised:
            resolve_settings(environment=home)
        assert "secret" not in str(raised.value)


def test_errors_pass_between_processes() -> None:
    result = CommandResult(
        stdout="", stderr="why", exit_code=1, signal=None, duration=timedelta(), usage=None, truncated=False
    )
    for error in (
        NoCapacityError("full", reason="NO_CAPACITY", request_id="req_1", retry_after=timedelta(seconds=1)),
        FileNotFoundError("no such file"),
        OutputLostError("stdout", 3),
        CommandExitError(result),
    ):
        copied = pickle.loads(pickle.dumps(error))
        assert type(copied) is type(error)
        assert str(copied) == str(error)
        assert vars(copied) == vars(error)


def test_errors_are_those_of_python_too() -> None:
    with pytest.raises(OSError, match=r"^gone$"):
        raise FileNotFoundError("gone")
    assert FileNotFoundError("gone").reason == "FILE_NOT_FOUND"
    with pytest.raises(ValueError, match="wrong"):
        raise InvalidArgumentError("wrong")
