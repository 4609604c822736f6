"""Data of problems, registered once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from drydock._async.connection import AsyncConnection
from drydock._async.paged import AsyncPaged
from drydock._calls import bytes_in, cut
from drydock._durations import DEFAULT_REQUEST_TIMEOUT, Duration
from drydock._limits import ResourceLimits, to_limits
from drydock._messages import new_request_id, number_of
from drydock._programs import (
    Checker,
    Comparison,
    Interactor,
    TestCase,
    TestGroup,
    to_case,
    to_checker,
    to_group,
    to_interactor,
)
from drydock._test_sets import ImportedTestSet, TestSet, to_imported_test_set, to_test_set
from drydock.v1 import execution_pb2, test_set_pb2

if TYPE_CHECKING:
    from drydock._on_asyncio import Iteration


class AsyncTestSets:
    """Data of problems, registered once: a program that names a test set (`test_set`) carries its source alone."""

    __test__ = False

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(
        self,
        name: str,
        cases: Sequence[TestCase],
        *,
        version: str = "",
        comparison: Comparison | None = None,
        float_tolerance: float | None = None,
        case_insensitive: bool = False,
        groups: Sequence[TestGroup] = (),
        checker: Checker | None = None,
        interactor: Interactor | None = None,
        limits: ResourceLimits | None = None,
        compile_limits: ResourceLimits | None = None,
        time_multipliers: Mapping[str, float] | None = None,
        request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT,
    ) -> TestSet:
        """Registers a test set, which never changes. `name` and `version`: to 128 characters; several test sets may
        have the same. `cases`: 1 to 1,000; text and bytes to 10 MiB in all, the rest as
        blobs. `comparison`, `case_insensitive`, `groups`, `checker` and `interactor`: as of
        a program. `float_tolerance`: of FLOAT, absolute or
        relative; above 0, at most 1, default 1e-6. `limits` and `compile_limits`: what an execution has whose own
        limits do not say otherwise. `time_multipliers`: by language, what the times of `limits` and of cases are
        multiplied by; above 0, to 100, default 1.

        Raises InvalidArgumentError, also for a language that is unknown (LANGUAGE_NOT_FOUND), NotFoundError
        (BLOB_NOT_FOUND), QuotaExceededError."""
        request = test_set_pb2.CreateTestSetRequest(
            name=name,
            version=version,
            cases=[to_case(each) for each in cases],
            comparison=number_of(execution_pb2.Comparison, "comparison", comparison),
            float_tolerance=float_tolerance,
            case_insensitive=case_insensitive,
            groups=[to_group(each) for each in groups],
            checker=to_checker(checker),
            interactor=to_interactor(interactor),
            limits=to_limits(limits),
            compile_limits=to_limits(compile_limits),
            time_multipliers=time_multipliers,
            request_id=new_request_id(),
        )
        answer = await self._connection.unary(
            self._connection.stubs.test_sets.CreateTestSet, request, request_timeout=request_timeout
        )
        return to_test_set(answer.test_set)

    async def import_package(
        self,
        package: bytes | bytearray | memoryview,
        *,
        name: str = "",
        version: str = "",
        request_timeout: Duration | None = None,
    ) -> ImportedTestSet:
        """Registers the test set of a zip: a problem package of Kattis or ICPC, or pairs of `*.in` and `*.ans` or
        `*.out`. To 256 MiB, 20,000 entries, and 1 GiB unpacked. `name`: default that of the package.

        Raises InvalidArgumentError (PACKAGE_INVALID, PACKAGE_UNSUPPORTED), whose `field_violations` name files and
        keys, QuotaExceededError."""
        view = bytes_in(package)

        async def requests() -> Iteration[test_set_pb2.ImportTestSetRequest]:
            yield test_set_pb2.ImportTestSetRequest(name=name, version=version)
            for piece in cut(view):
                yield test_set_pb2.ImportTestSetRequest(data=piece)

        answer = await self._connection.upload(
            self._connection.stubs.test_sets.ImportTestSet, requests, request_timeout=request_timeout, repeatable=False
        )
        return to_imported_test_set(answer)

    async def get(self, test_set_id: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> TestSet:
        """Raises NotFoundError (TEST_SET_NOT_FOUND)."""
        request = test_set_pb2.GetTestSetRequest(test_set_id=test_set_id)
        answer = await self._connection.unary(
            self._connection.stubs.test_sets.GetTestSet, request, request_timeout=request_timeout
        )
        return to_test_set(answer.test_set)

    def list(
        self, *, name: str = "", request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT
    ) -> AsyncPaged[TestSet]:
        """Newest first, without their cases and checkers. `name`: only those of this name; default all."""

        async def fetch(page_token: str) -> tuple[Sequence[TestSet], str]:
            request = test_set_pb2.ListTestSetsRequest(page_token=page_token, name=name)
            answer = await self._connection.unary(
                self._connection.stubs.test_sets.ListTestSets, request, request_timeout=request_timeout
            )
            return [to_test_set(each) for each in answer.test_sets], answer.next_page_token

        return AsyncPaged(fetch)

    async def delete(self, test_set_id: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> None:
        """Deletes a test set; executions that were submitted before still have it. Raises NotFoundError
        (TEST_SET_NOT_FOUND)."""
        request = test_set_pb2.DeleteTestSetRequest(test_set_id=test_set_id)
        await self._connection.unary(
            self._connection.stubs.test_sets.DeleteTestSet, request, request_timeout=request_timeout, repeatable=False
        )
