"""Programs that are run to a verdict, and their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from drydock._durations import Duration, to_message
from drydock._errors import InvalidArgumentError
from drydock._limits import ResourceLimits, ResourceUsage, from_usage, to_limits
from drydock._messages import bytes_of, name_of, new_request_id, number_of, time_in
from drydock.v1 import execution_pb2

SourceFiles: TypeAlias = Mapping[str, str | bytes]
"""Files beside each other, text or bytes, by name: relative, without `..`, to 255 bytes. At most 1,000."""

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
    """Given back with the result. To 64 characters."""
    stdin: str = ""
    """To 10 MiB."""
    expected_output: str | None = None
    """None: exit code 0 is enough, unless there is a checker."""
    limits: ResourceLimits | None = None
    """Time, memory and output of this case. Default: those of the program."""


@dataclass(frozen=True, kw_only=True)
class Checker:
    """A program that decides whether an output is right: the arguments are files `input`, `output` and `expected`.
    Exit code 0 accepts, 1 is a wrong answer, any other end is INTERNAL_ERROR. Either `source` or `files`, to 1 MiB
    in all."""

    language: str
    source: str = ""
    files: SourceFiles | None = None
    entrypoint: str = ""
    """As of the program."""
    wall_time: Duration | None = None
    """Of one run, to 300 s. Default 10 s."""


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
    stdin: str = ""
    """To 10 MiB."""
    expected_output: str | None = None
    """The verdict says whether standard output matched. None: exit code 0 is enough."""
    comparison: Literal["TRAILING_SPACE", "EXACT", "TOKENS", "FLOAT"] | None = None
    """How output is held against what was expected: equal but for blanks at the ends of lines and blank lines at the
    end, byte for byte, word by word, or word by word with numbers that may differ by `float_tolerance`. Default
    TRAILING_SPACE."""
    case_insensitive: bool = False
    """Capital and small letters are the same, whatever the comparison."""
    float_tolerance: float | None = None
    """Of FLOAT, absolute or relative. Above 0, at most 1; default 1e-6."""
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
    stop_at_first_failure: bool = False
    """Runs no test case after one that was not accepted."""
    checker: Checker | None = None
    """Decides instead of `comparison`."""
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


@dataclass(frozen=True, kw_only=True)
class CaseResult:
    """What came of one test case."""

    name: str
    verdict: Verdict | None
    """None where an earlier failure stopped the run."""
    exit_code: int | None
    signal: str | None
    stdout: str
    """The first 16 KiB."""
    stderr: str
    stdout_truncated: bool
    stderr_truncated: bool
    usage: ResourceUsage | None
    message: str
    """What the checker printed."""


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
            command=_texts("command", program.command),
            source=program.source,
            files=_files(program.files),
            entrypoint=program.entrypoint,
            compiler_options=_texts("compiler_options", program.compiler_options),
            arguments=_texts("arguments", program.arguments),
            environment=program.environment,
            stdin=program.stdin,
            expected_output=program.expected_output,
            comparison=number_of(execution_pb2.Comparison, "comparison", program.comparison),
            case_insensitive=program.case_insensitive,
            float_tolerance=program.float_tolerance,
            limits=to_limits(program.limits),
            compile_limits=to_limits(program.compile_limits),
            isolation=number_of(execution_pb2.Isolation, "isolation", program.isolation),
            test_cases=[_test_case(each) for each in program.test_cases],
            stop_at_first_failure=program.stop_at_first_failure,
            checker=_checker(program.checker),
            request_id=new_request_id(),
        )
    )
    return request


def _texts(name: str, values: Sequence[str]) -> Sequence[str]:
    if isinstance(values, str):
        raise InvalidArgumentError(f"{name} is a list of texts, not one text")
    return values


def _files(files: SourceFiles | None) -> list[execution_pb2.SourceFile]:
    return [
        execution_pb2.SourceFile(name=name, text=content)
        if isinstance(content, str)
        else execution_pb2.SourceFile(name=name, data=content)
        for name, content in (files or {}).items()
    ]


def _test_case(case: TestCase) -> execution_pb2.TestCase:
    return execution_pb2.TestCase(
        name=case.name, stdin=case.stdin, expected_output=case.expected_output, limits=to_limits(case.limits)
    )


def _checker(checker: Checker | None) -> execution_pb2.Checker | None:
    if checker is None:
        return None
    return execution_pb2.Checker(
        language=checker.language,
        source=checker.source,
        files=_files(checker.files),
        entrypoint=checker.entrypoint,
        wall_time=to_message("wall_time", checker.wall_time),
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
    )


def _verdict(number: int) -> Verdict | None:
    if number == execution_pb2.VERDICT_UNSPECIFIED:
        return None
    verdict: Verdict = name_of(execution_pb2.Verdict, number)
    return verdict
