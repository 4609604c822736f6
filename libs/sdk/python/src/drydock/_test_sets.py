"""What the platform tells of test sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from drydock._limits import ResourceLimits, from_limits
from drydock._messages import name_of, time_in
from drydock._programs import BlobFile, Checker, Comparison, Interactor, TestCase, TestGroup
from drydock.v1 import execution_pb2, test_set_pb2


@dataclass(frozen=True, kw_only=True)
class TestSet:
    """The cases of a problem, and how programs are judged by them. Of a list it has no cases, and nothing that says
    how."""

    __test__ = False  # It is no test of pytest, whatever its name.

    id: str
    name: str
    version: str
    create_time: datetime | None
    case_count: int
    size_bytes: int
    """Of inputs and expected outputs together."""
    cases: Sequence[TestCase]
    """In the order in which they are run, by blob: `stdin_blob` and `expected_output_blob`."""
    comparison: Comparison | None
    """None: the default."""
    float_tolerance: float | None
    case_insensitive: bool
    groups: Sequence[TestGroup]
    checker: Checker | None
    interactor: Interactor | None
    limits: ResourceLimits | None
    """What an execution has whose own limits do not say otherwise."""
    compile_limits: ResourceLimits | None
    time_multipliers: Mapping[str, float]
    """By language: what the times of `limits` and of cases are multiplied by."""


@dataclass(frozen=True, kw_only=True)
class PackageNote:
    """What of a problem package has no meaning here and does not change a verdict, such as statements."""

    file: str
    """Within the zip. A directory ends with `/` and stands for all in it."""
    key: str
    """Of a file of YAML; empty for the whole file."""
    description: str


@dataclass(frozen=True, kw_only=True)
class ImportedTestSet:
    """The test set of a problem package."""

    test_set: TestSet
    notes: Sequence[PackageNote]


def to_test_set(message: test_set_pb2.TestSet) -> TestSet:
    return TestSet(
        id=message.id,
        name=message.name,
        version=message.version,
        create_time=time_in(message, "create_time"),
        case_count=message.case_count,
        size_bytes=message.size_bytes,
        cases=tuple(_from_case(each) for each in message.cases),
        comparison=name_of(execution_pb2.Comparison, message.comparison) if message.comparison else None,
        float_tolerance=message.float_tolerance if message.HasField("float_tolerance") else None,
        case_insensitive=message.case_insensitive,
        groups=tuple(_from_group(each) for each in message.groups),
        checker=_from_checker(message.checker) if message.HasField("checker") else None,
        interactor=_from_interactor(message.interactor) if message.HasField("interactor") else None,
        limits=from_limits(message.limits) if message.HasField("limits") else None,
        compile_limits=from_limits(message.compile_limits) if message.HasField("compile_limits") else None,
        time_multipliers=dict(message.time_multipliers),
    )


def to_imported_test_set(message: test_set_pb2.ImportTestSetResponse) -> ImportedTestSet:
    notes = (PackageNote(file=each.file, key=each.key, description=each.description) for each in message.notes)
    return ImportedTestSet(test_set=to_test_set(message.test_set), notes=tuple(notes))


def _from_case(message: execution_pb2.TestCase) -> TestCase:
    return TestCase(
        name=message.name,
        stdin_blob=message.stdin_blob,
        expected_output_blob=message.expected_output_blob,
        limits=from_limits(message.limits) if message.HasField("limits") else None,
        group=message.group,
        points=message.points if message.HasField("points") else None,
    )


def _from_group(message: execution_pb2.TestGroup) -> TestGroup:
    return TestGroup(
        name=message.name,
        points=message.points if message.HasField("points") else None,
        aggregation=name_of(execution_pb2.TestGroup.Aggregation, message.aggregation) if message.aggregation else None,
        on_failure=name_of(execution_pb2.TestGroup.OnFailure, message.on_failure) if message.on_failure else None,
        depends_on=tuple(message.depends_on),
    )


def _from_checker(message: execution_pb2.Checker) -> Checker:
    return Checker(
        language=message.language,
        source=message.source,
        files={each.name: _content(each) for each in message.files} or None,
        entrypoint=message.entrypoint,
        wall_time=message.wall_time.ToTimedelta() if message.HasField("wall_time") else None,
        protocol=name_of(execution_pb2.Checker.Protocol, message.protocol) if message.protocol else None,
        arguments=tuple(message.arguments),
    )


def _from_interactor(message: execution_pb2.Interactor) -> Interactor:
    return Interactor(
        language=message.language,
        source=message.source,
        files={each.name: _content(each) for each in message.files} or None,
        entrypoint=message.entrypoint,
        wall_time=message.wall_time.ToTimedelta() if message.HasField("wall_time") else None,
        protocol=name_of(execution_pb2.Checker.Protocol, message.protocol) if message.protocol else None,
        arguments=tuple(message.arguments),
    )


def _content(file: execution_pb2.SourceFile) -> str | bytes | BlobFile:
    match file.WhichOneof("content"):
        case "text":
            return file.text
        case "blob":
            return BlobFile(file.blob)
    return file.data
