"""Programs that are run to a verdict, and their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, TypedDict

from drydock._durations import Duration, to_message
from drydock._errors import InvalidArgumentError
from drydock._limits import ResourceLimits, ResourceUsage, from_usage, to_limits
from drydock._messages import bytes_of, name_of, new_request_id, number_of, texts_in, time_in
from drydock.v1 import execution_pb2


@dataclass(frozen=True)
class BlobFile:
    """A file whose content is a blob."""

    sha256: str
    """As of `BlobInfo`."""


SourceFiles: TypeAlias = Mapping[str, str | bytes | BlobFile]
"""Files beside each other, text, bytes or blobs, by name: relative, without `..`, to 255 bytes. At most 1,000."""

Comparison: TypeAlias = Literal["TRAILING_SPACE", "EXACT", "TOKENS", "FLOAT"]
"""How output is held against what was expected: equal but for blanks at the ends of lines and blank lines at the end,
byte for byte, word by word, or word by word with numbers that may differ by a tolerance."""

Protocol: TypeAlias = Literal["DRYDOCK", "TESTLIB", "KATTIS"]
"""What a checker or an interactor is given, and what its end means. An end that is not of it is INTERNAL_ERROR.

Exit codes: of DRYDOCK 0 accepts and 1 is a wrong answer; of TESTLIB 0 accepts, 1, 2, 4 and 8 are a wrong answer, and 7
gives points; of KATTIS 42 accepts and 43 is a wrong answer, and message and points are in files of `feedback/`."""

Verdict: TypeAlias = Literal[
    "ACCEPTED",
    "WRONG_ANSWER",
    "CPU_TIME_EXCEEDED",
    "WALL_TIME_EXCEEDED",
    "MEMORY_EXCEEDED",
    "OUTPUT_EXCEEDED",
    "RUNTIME_ERROR",
    "COMPILE_ERROR",
    "CANCELLED",
    "INTERNAL_ERROR",
    "UNRECOGNIZED",
]
"""INTERNAL_ERROR: the platform failed, not the program. UNRECOGNIZED: the server is newer than this package."""

ExecutionState: TypeAlias = Literal["QUEUED", "RUNNING", "FINISHED", "CANCELLED", "UNRECOGNIZED"]


@dataclass(frozen=True, kw_only=True)
class TestCase:
    """One input of a program, and its expected output."""

    __test__ = False  # It is no test of pytest, whatever its name.

    name: str = ""
    """Given back with the result. To 64 characters, of a test set to 255."""
    stdin: str | bytes = ""
    """To 10 MiB."""
    expected_output: str | None = None
    """None: exit code 0 is enough, unless there is a checker."""
    stdin_blob: str = ""
    """Instead of `stdin`: the SHA-256 of a blob."""
    expected_output_blob: str = ""
    """Instead of `expected_output`: the SHA-256 of a blob, to 10 MiB."""
    limits: ResourceLimits | None = None
    """Time, memory and output of this case. Default: those of the program."""
    group: str = ""
    """The name of one of the program's groups. Default: none."""
    points: float | None = None
    """What it earns when it is accepted. From 0 to 1e9. Default: the points of its group, divided by the number of its
    cases where these are summed; without a group 0."""


@dataclass(frozen=True, kw_only=True)
class TestGroup:
    """Test cases that earn points together."""

    __test__ = False

    name: str
    """1 to 64 characters, once in a program."""
    points: float | None = None
    """The most that it earns. From 0 to 1e9. Default: what its cases can earn."""
    aggregation: Literal["ALL_OR_NOTHING", "MIN", "SUM"] | None = None
    """All of its points if all its cases were accepted, else none; the lowest score of a case; their sum. Default
    ALL_OR_NOTHING."""
    on_failure: Literal["CONTINUE", "STOP"] | None = None
    """Whether its cases are run after one that scored nothing. Default CONTINUE."""
    depends_on: Sequence[str] = ()
    """Groups that are run before it. Where a case of theirs was not accepted, its own are skipped. At most 100."""


@dataclass(frozen=True, kw_only=True)
class Checker:
    """A program that decides whether an output is right. Either `source` or `files`, to 1 MiB in all."""

    language: str
    source: str = ""
    files: SourceFiles | None = None
    entrypoint: str = ""
    """As of the program."""
    wall_time: Duration | None = None
    """Of one run, to 300 s. Default 10 s."""
    protocol: Protocol | None = None
    """Its arguments are files: of DRYDOCK `input output expected`, of TESTLIB `input output answer`, of KATTIS `input
    answer feedback/`, with the output on standard input. Default DRYDOCK."""
    arguments: Sequence[str] = ()
    """Given to it after those. At most 64, 128 KiB in all."""


@dataclass(frozen=True, kw_only=True)
class Interactor:
    """A program that talks with the program: what one prints, the other reads. The input and the expected output of a
    case are its own, as files. Either `source` or `files`, to 1 MiB in all."""

    language: str
    source: str = ""
    files: SourceFiles | None = None
    entrypoint: str = ""
    """As of the program."""
    wall_time: Duration | None = None
    """CPU time of one run, to 300 s. Default 10 s."""
    protocol: Protocol | None = None
    """Its arguments are files: of DRYDOCK `input expected`, of TESTLIB `input output answer`, of KATTIS `input answer
    feedback/`. Of DRYDOCK and TESTLIB, messages and points are printed to standard error. Default DRYDOCK."""
    arguments: Sequence[str] = ()
    """Given to it after those. At most 64, 128 KiB in all."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run. Either `language` with `source` or `files`, to 10 MiB in all, or `template` with `command`."""

    language: str = ""
    """A name of `templates.languages`."""
    template: str = ""
    """An id of `templates.list`."""
    command: Sequence[str] = ()
    """The program and its arguments, run in the directory of the files, without a shell. At most 1,024, 128 KiB in
    all."""
    source: str = ""
    files: SourceFiles | None = None
    entrypoint: str = ""
    """Which of `files` to run. Default: the language's own, such as `main.py`, else that with a main method, else the
    first."""
    compiler_options: Sequence[str] = ()
    """Added to the compiler's arguments. At most 64."""
    arguments: Sequence[str] = ()
    """Of the program. At most 1,024, 128 KiB in all."""
    environment: Mapping[str, str] | None = None
    """Of the program, not of its compiler. At most 128, names `[A-Za-z_][A-Za-z0-9_]*`, 32 KiB in all."""
    stdin: str | bytes = ""
    """To 10 MiB."""
    expected_output: str | None = None
    """The verdict says whether standard output matched. None: exit code 0 is enough."""
    stdin_blob: str = ""
    """Instead of `stdin`: the SHA-256 of a blob."""
    expected_output_blob: str = ""
    """Instead of `expected_output`: the SHA-256 of a blob, to 10 MiB."""
    comparison: Comparison | None = None
    """Default TRAILING_SPACE."""
    case_insensitive: bool = False
    """Capital and small letters are the same, whatever the comparison."""
    float_absolute_tolerance: float | None = None
    """Of FLOAT: how far numbers may be apart. From 0 to 1e9. Default 1e-6, or 0 where only the relative tolerance is
    set."""
    float_relative_tolerance: float | None = None
    """Of FLOAT: the same, as a part of the expected number. From 0 to 1. Default 1e-6, or 0 where only the absolute
    tolerance is set."""
    float_tolerance: float | None = None
    """Deprecated. Sets both tolerances, where neither is set by itself. Above 0, at most 1."""
    limits: ResourceLimits | None = None
    """Of the run."""
    compile_limits: ResourceLimits | None = None
    """Of the compile step: wall time, CPU time and output alone. Default 30 s, 30 s, 1 MiB."""
    isolation: Literal["CELL", "SANDBOX"] | None = None
    """Fresh namespaces in a sandbox of the organisation, or a sandbox of its own. Default: what is offered, CELL
    first."""
    test_cases: Sequence[TestCase] = ()
    """Instead of `stdin` and `expected_output`: each is run by itself, after one compile step. At most 100, 10 MiB in
    all, and an hour in all by their time limits."""
    test_set: str = ""
    """The id of a test set, instead of the test cases and of all that says how they are judged."""
    groups: Sequence[TestGroup] = ()
    """Points of test cases that are earned together. At most 100."""
    parallelism: int | None = None
    """Runs at most this many test cases side by side, as far as there is room, with the same results in the same order;
    `stream` runs them one after the other. 1 to 16, default 1."""
    stop_at_first_failure: bool = False
    """Runs no test case after one that was not accepted."""
    checker: Checker | None = None
    """Decides instead of `comparison`."""
    interactor: Interactor | None = None
    """Talks with the program, instead of a checker and a comparison."""
    keep_transcript: bool = False
    """Keeps the first 64 KiB of the talk with an interactor, for `Job.output("transcript")`."""
    priority: int | None = None
    """Of the queue, among the organisation's own: higher goes first. -100 to 100, default 0. Refused where the program
    is not queued."""


@dataclass(frozen=True, kw_only=True)
class CompileResult:
    """What came of a compile step."""

    exit_code: int | None
    signal: str | None
    stdout: str
    stderr: str
    stdout_truncated: bool
    stderr_truncated: bool
    usage: ResourceUsage | None
    cached: bool
    """All of this is of an earlier compile step of the organisation, of the same files, command, environment and
    limits, whose product was used."""


@dataclass(frozen=True, kw_only=True)
class CaseResult:
    """What came of one test case."""

    name: str
    verdict: Verdict | None
    """None where it was skipped."""
    exit_code: int | None
    signal: str | None
    stdout: str
    """The first 16 KiB; where there are more than 128 cases, their share of 4 MiB."""
    stderr: str
    stdout_truncated: bool
    stderr_truncated: bool
    usage: ResourceUsage | None
    message: str
    """What the checker said; why, where it was skipped."""
    score: float | None
    """Where the program has points: what the case earned, from 0 to its points; else what a checker gave."""
    skipped: bool
    """It was not run, because of an earlier case, of its group or of one that its group depends on, or of the
    compiler."""


@dataclass(frozen=True, kw_only=True)
class GroupResult:
    """What came of a group of test cases."""

    name: str
    verdict: Verdict | None
    """That of its first case that was not accepted. None where no case of it was run, or the others were skipped."""
    score: float
    max_score: float


@dataclass(frozen=True, kw_only=True)
class Execution:
    """A program that was run, runs, or waits."""

    id: str
    state: ExecutionState
    verdict: Verdict | None
    """None until it has ended."""
    language: str
    template: str
    exit_code: int | None
    """None where a signal ended the program, or where it never ran."""
    signal: str | None
    """Such as `SIGSEGV`."""
    stdout: str
    """As text: what is not UTF-8 is replaced. `run` has all of it, the queue the first 256 KiB; `Job.output` has the
    rest. Empty where there are test cases."""
    stderr: str
    stdout_truncated: bool
    stderr_truncated: bool
    stdout_invalid_utf8: bool
    stderr_invalid_utf8: bool
    compile: CompileResult | None
    """Of compiled languages."""
    usage: ResourceUsage | None
    create_time: datetime | None
    start_time: datetime | None
    finish_time: datetime | None
    message: str
    """Why, in words, where the verdict is INTERNAL_ERROR; what the checker printed, where there are no test cases."""
    cases: Sequence[CaseResult]
    """One for each test case, in their order."""
    score: float | None
    """Where the program has points: those of its groups, and of its cases without a group. None until it has ended."""
    max_score: float | None
    """The most that it could have been."""
    groups: Sequence[GroupResult]
    """One for each group, in their order."""
    attempts: int
    """How many times it was begun. More than 1 where a host was lost under it."""
    priority: int


@dataclass(frozen=True, kw_only=True)
class CompileStarted:
    """The compiler starts."""

    type: Literal["compile"] = "compile"


@dataclass(frozen=True, kw_only=True)
class RunStarted:
    """The program starts."""

    case_index: int
    """Which of the test cases, from 0."""
    type: Literal["run"] = "run"


@dataclass(frozen=True, kw_only=True)
class ProgramOutput:
    """A piece of output."""

    type: Literal["stdout", "stderr"]
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode(errors="replace")


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The last event of a program."""

    execution: Execution
    type: Literal["finished"] = "finished"


RunEvent: TypeAlias = CompileStarted | RunStarted | ProgramOutput | Finished


def to_request(program: Program) -> execution_pb2.RunCodeRequest:
    if program.priority is not None:
        raise InvalidArgumentError("priority is of the queue: submit the program, or leave it out")
    return _fill(execution_pb2.RunCodeRequest(), program)


def to_stream_request(program: Program) -> execution_pb2.StreamCodeRequest:
    # The fields of the three requests, and their numbers, are the same.
    return execution_pb2.StreamCodeRequest.FromString(to_request(program).SerializeToString())


def to_submission(program: Program) -> execution_pb2.SubmitExecutionRequest:
    encoded = _fill(execution_pb2.RunCodeRequest(), program).SerializeToString()
    request = execution_pb2.SubmitExecutionRequest.FromString(encoded)
    request.priority = program.priority or 0
    return request


def _fill(request: execution_pb2.RunCodeRequest, program: Program) -> execution_pb2.RunCodeRequest:
    request.MergeFrom(
        execution_pb2.RunCodeRequest(
            language=program.language,
            template=program.template,
            command=texts_in("command", program.command),
            source=program.source,
            files=_files(program.files),
            entrypoint=program.entrypoint,
            compiler_options=texts_in("compiler_options", program.compiler_options),
            arguments=texts_in("arguments", program.arguments),
            environment=program.environment,
            **_stdin(program.stdin),
            expected_output=program.expected_output,
            stdin_blob=program.stdin_blob,
            expected_output_blob=program.expected_output_blob,
            comparison=number_of(execution_pb2.Comparison, "comparison", program.comparison),
            case_insensitive=program.case_insensitive,
            float_absolute_tolerance=program.float_absolute_tolerance,
            float_relative_tolerance=program.float_relative_tolerance,
            float_tolerance=program.float_tolerance,
            limits=to_limits(program.limits),
            compile_limits=to_limits(program.compile_limits),
            isolation=number_of(execution_pb2.Isolation, "isolation", program.isolation),
            test_cases=[to_case(each) for each in program.test_cases],
            test_set=program.test_set,
            groups=[to_group(each) for each in program.groups],
            parallelism=program.parallelism or 0,
            stop_at_first_failure=program.stop_at_first_failure,
            checker=to_checker(program.checker),
            interactor=to_interactor(program.interactor),
            keep_transcript=program.keep_transcript,
            request_id=new_request_id(),
        )
    )
    return request


def _files(files: SourceFiles | None) -> list[execution_pb2.SourceFile]:
    return [_file(name, content) for name, content in (files or {}).items()]


def _file(name: str, content: str | bytes | BlobFile) -> execution_pb2.SourceFile:
    if isinstance(content, BlobFile):
        return execution_pb2.SourceFile(name=name, blob=content.sha256)
    if isinstance(content, str):
        return execution_pb2.SourceFile(name=name, text=content)
    return execution_pb2.SourceFile(name=name, data=content)


class _Stdin(TypedDict, total=False):
    stdin: str
    stdin_bytes: bytes


def _stdin(stdin: str | bytes) -> _Stdin:
    return {"stdin": stdin} if isinstance(stdin, str) else {"stdin_bytes": stdin}


def to_case(case: TestCase) -> execution_pb2.TestCase:
    return execution_pb2.TestCase(
        name=case.name,
        **_stdin(case.stdin),
        expected_output=case.expected_output,
        stdin_blob=case.stdin_blob,
        expected_output_blob=case.expected_output_blob,
        limits=to_limits(case.limits),
        group=case.group,
        points=case.points,
    )


def to_group(group: TestGroup) -> execution_pb2.TestGroup:
    return execution_pb2.TestGroup(
        name=group.name,
        points=group.points,
        aggregation=number_of(execution_pb2.TestGroup.Aggregation, "aggregation", group.aggregation),
        on_failure=number_of(execution_pb2.TestGroup.OnFailure, "on_failure", group.on_failure),
        depends_on=texts_in("depends_on", group.depends_on),
    )


def to_checker(checker: Checker | None) -> execution_pb2.Checker | None:
    if checker is None:
        return None
    return execution_pb2.Checker(
        language=checker.language,
        source=checker.source,
        files=_files(checker.files),
        entrypoint=checker.entrypoint,
        wall_time=to_message("wall_time", checker.wall_time),
        protocol=number_of(execution_pb2.Checker.Protocol, "protocol", checker.protocol),
        arguments=texts_in("arguments", checker.arguments),
    )


def to_interactor(interactor: Interactor | None) -> execution_pb2.Interactor | None:
    if interactor is None:
        return None
    return execution_pb2.Interactor(
        language=interactor.language,
        source=interactor.source,
        files=_files(interactor.files),
        entrypoint=interactor.entrypoint,
        wall_time=to_message("wall_time", interactor.wall_time),
        protocol=number_of(execution_pb2.Checker.Protocol, "protocol", interactor.protocol),
        arguments=texts_in("arguments", interactor.arguments),
    )


def to_execution(message: execution_pb2.Execution) -> Execution:
    return Execution(
        id=message.id,
        state=name_of(execution_pb2.Execution.State, message.state),
        verdict=_verdict(message.verdict),
        language=message.language,
        template=message.template,
        exit_code=message.exit_code if message.HasField("exit_code") else None,
        signal=message.signal or None,
        stdout=message.stdout,
        stderr=message.stderr,
        stdout_truncated=message.stdout_truncated,
        stderr_truncated=message.stderr_truncated,
        stdout_invalid_utf8=message.stdout_invalid_utf8,
        stderr_invalid_utf8=message.stderr_invalid_utf8,
        compile=_compile_result(message.compile) if message.HasField("compile") else None,
        usage=from_usage(message.usage) if message.HasField("usage") else None,
        create_time=time_in(message, "create_time"),
        start_time=time_in(message, "start_time"),
        finish_time=time_in(message, "finish_time"),
        message=message.message,
        cases=tuple(_case_result(each) for each in message.cases),
        score=message.score if message.HasField("score") else None,
        max_score=message.max_score if message.HasField("max_score") else None,
        groups=tuple(_group_result(each) for each in message.groups),
        attempts=message.attempts,
        priority=message.priority,
    )


def to_run_event(message: execution_pb2.StreamCodeResponse) -> RunEvent | None:
    """None for an event that a newer server has added."""
    match message.WhichOneof("event"):
        case "compile_started":
            return CompileStarted()
        case "run_started":
            return RunStarted(case_index=message.run_started.case_index)
        case "stdout":
            return ProgramOutput(type="stdout", data=bytes_of(message.stdout))
        case "stderr":
            return ProgramOutput(type="stderr", data=bytes_of(message.stderr))
        case "execution":
            return Finished(execution=to_execution(message.execution))
    return None


def _compile_result(message: execution_pb2.CompileResult) -> CompileResult:
    return CompileResult(
        exit_code=message.exit_code if message.HasField("exit_code") else None,
        signal=message.signal or None,
        stdout=message.stdout,
        stderr=message.stderr,
        stdout_truncated=message.stdout_truncated,
        stderr_truncated=message.stderr_truncated,
        usage=from_usage(message.usage) if message.HasField("usage") else None,
        cached=message.cached,
    )


def _case_result(message: execution_pb2.CaseResult) -> CaseResult:
    return CaseResult(
        name=message.name,
        verdict=_verdict(message.verdict),
        exit_code=message.exit_code if message.HasField("exit_code") else None,
        signal=message.signal or None,
        stdout=message.stdout,
        stderr=message.stderr,
        stdout_truncated=message.stdout_truncated,
        stderr_truncated=message.stderr_truncated,
        usage=from_usage(message.usage) if message.HasField("usage") else None,
        message=message.message,
        score=message.score if message.HasField("score") else None,
        skipped=message.skipped,
    )


def _group_result(message: execution_pb2.GroupResult) -> GroupResult:
    return GroupResult(
        name=message.name,
        verdict=_verdict(message.verdict),
        score=message.score,
        max_score=message.max_score,
    )


def _verdict(number: int) -> Verdict | None:
    if number == execution_pb2.VERDICT_UNSPECIFIED:
        return None
    verdict: Verdict = name_of(execution_pb2.Verdict, number)
    return verdict
