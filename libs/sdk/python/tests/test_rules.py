"""The rules of the package that need no server."""

from __future__ import annotations

import base64
import dataclasses
import json
import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

import drydock
from drydock import (
    BlobFile,
    Checker,
    CommandExitError,
    CommandResult,
    DrydockError,
    FileNotFoundError,
    Interactor,
    InvalidArgumentError,
    NoCapacityError,
    OutputLostError,
    Program,
    QuotaExceededError,
    ResourceLimits,
    SourceFiles,
    TestCase,
    TestGroup,
    TimeoutError,
    UnauthenticatedError,
    UnavailableError,
)
from drydock._config import resolve_settings
from drydock._durations import Deadline, seconds_of, to_message
from drydock._programs import to_request, to_stream_request, to_submission
from drydock._retries import Attempts, Breaks
from drydock._test_sets import to_test_set
from drydock._tokens import Tokens
from drydock.v1 import (
    auth_pb2,
    blob_pb2,
    execution_pb2,
    file_pb2,
    resources_pb2,
    sandbox_pb2,
    template_pb2,
    test_set_pb2,
    webhook_pb2,
)

LIMITS = ResourceLimits(wall_time=1)
FILES: SourceFiles = {"a": "text", "b": b"data", "c": BlobFile("hash")}


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


def absent(message: Message) -> set[str]:
    """Fields of the contract that are not set."""
    return {field.name for field in message.DESCRIPTOR.fields} - {field.name for field, _ in message.ListFields()}


@pytest.mark.parametrize(("stdin", "other"), [("text", "stdin_bytes"), (b"bytes", "stdin")])
def test_a_request_has_all_of_a_program(stdin: str | bytes, other: str) -> None:
    judge: dict[str, Any] = {
        "language": "c",
        "source": "s",
        "files": FILES,
        "entrypoint": "e",
        "wall_time": 1,
        "protocol": "TESTLIB",
        "arguments": ["a"],
    }
    case = TestCase(
        name="n",
        stdin=stdin,
        expected_output="",
        stdin_blob="i",
        expected_output_blob="o",
        limits=LIMITS,
        group="g",
        points=0,
    )
    program = Program(
        language="l",
        template="t",
        command=["c"],
        source="s",
        files=FILES,
        entrypoint="e",
        compiler_options=["o"],
        arguments=["a"],
        environment={"A": "b"},
        stdin=stdin,
        expected_output="",
        stdin_blob="i",
        expected_output_blob="o",
        comparison="FLOAT",
        case_insensitive=True,
        float_absolute_tolerance=0,
        float_relative_tolerance=0,
        float_tolerance=0,
        limits=LIMITS,
        compile_limits=LIMITS,
        isolation="CELL",
        test_cases=[case],
        test_set="t",
        groups=[TestGroup(name="g", points=0, aggregation="MIN", on_failure="STOP", depends_on=["h"])],
        parallelism=2,
        stop_at_first_failure=True,
        checker=Checker(**judge),
        interactor=Interactor(**judge),
        keep_transcript=True,
    )
    submission = to_submission(dataclasses.replace(program, priority=1))
    for request in (to_request(program), to_stream_request(program), submission):
        assert absent(request) == absent(request.test_cases[0]) == {other}
        for within in (request.groups[0], request.checker, request.interactor):
            assert absent(within) == set()
        assert [file.WhichOneof("content") for file in request.files] == ["text", "data", "blob"]


RECORDS: list[tuple[Any, Any]] = [
    (drydock.ApiKey, auth_pb2.ApiKey),
    (drydock.BlobInfo, blob_pb2.Blob),
    (drydock.CaseResult, execution_pb2.CaseResult),
    (drydock.CompileResult, execution_pb2.CompileResult),
    (drydock.FileInfo, file_pb2.FileInfo),
    (drydock.GroupResult, execution_pb2.GroupResult),
    (drydock.Language, template_pb2.Language),
    (drydock.Organization, auth_pb2.Organization),
    (drydock.Quota, auth_pb2.Quota),
    (drydock.ResourceLimits, resources_pb2.ResourceLimits),
    (drydock.ResourceUsage, resources_pb2.ResourceUsage),
    (drydock.SandboxInfo, sandbox_pb2.Sandbox),
    (drydock.Template, template_pb2.Template),
    (drydock.TestSet, test_set_pb2.TestSet),
    (drydock.Webhook, webhook_pb2.Webhook),
    (drydock.WebhookDelivery, webhook_pb2.WebhookDelivery),
]


@pytest.mark.parametrize(("record", "message"), RECORDS)
def test_a_record_has_all_of_its_message(record: Any, message: Any) -> None:
    names = {field.name for field in dataclasses.fields(record)}
    assert names == {field.name for field in message.DESCRIPTOR.fields}


def test_an_execution_has_all_of_its_message_but_how_it_was_kept_apart() -> None:
    fields = {field.name for field in execution_pb2.Execution.DESCRIPTOR.fields}
    assert {field.name for field in dataclasses.fields(drydock.Execution)} == fields - {"isolation"}


def test_a_test_set_is_read_as_it_was_made() -> None:
    checker = execution_pb2.Checker(language="c", protocol=execution_pb2.Checker.KATTIS, arguments=["a"])
    checker.files.add(name="a", text="text")
    checker.files.add(name="b", data=b"data")
    checker.files.add(name="c", blob="hash")
    message = test_set_pb2.TestSet(checker=checker, time_multipliers={"python": 2})
    message.cases.add(name="n", stdin_blob="i", expected_output_blob="o")
    test_set = to_test_set(message)
    assert test_set.checker == Checker(language="c", files=FILES, protocol="KATTIS", arguments=("a",))
    assert test_set.cases == (TestCase(name="n", stdin_blob="i", expected_output_blob="o"),)
    assert (test_set.comparison, test_set.time_multipliers) == (None, {"python": 2})
