"""Programs, run to a verdict: now, or in the queue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from drydock._async.connection import AsyncConnection
from drydock._async.paged import AsyncPaged
from drydock._durations import DEFAULT_REQUEST_TIMEOUT, Duration
from drydock._errors import ConnectionLostError, DrydockError, FieldViolation, NotFoundError
from drydock._messages import name_of, number_of
from drydock._programs import (
    Execution,
    ExecutionState,
    Program,
    RunEvent,
    to_execution,
    to_request,
    to_run_event,
    to_stream_request,
    to_submission,
)
from drydock._retries import Breaks
from drydock._status import class_of
from drydock.v1 import error_reason_pb2, execution_pb2

if TYPE_CHECKING:
    from drydock._on_asyncio import Iteration

_ENDED = (execution_pb2.Execution.FINISHED, execution_pb2.Execution.CANCELLED)


class AsyncJob:
    """An execution of the queue."""

    id: str

    def __init__(self, connection: AsyncConnection, execution_id: str) -> None:
        self.id = execution_id
        self._connection = connection

    async def get(self, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> Execution:
        """How it is now. Raises NotFoundError."""
        request = execution_pb2.GetExecutionRequest(execution_id=self.id)
        answer = await self._connection.unary(
            self._connection.stubs.executions.GetExecution, request, request_timeout=request_timeout
        )
        return to_execution(answer.execution)

    async def wait(self, *, request_timeout: Duration | None = None) -> Execution:
        """Waits for its end, however often the connection breaks meanwhile. Raises NotFoundError."""
        last = None
        async for execution in self.watch(request_timeout=request_timeout):
            last = execution
        if last is None:
            raise NotFoundError(f"there is no execution {self.id}", reason="EXECUTION_NOT_FOUND")
        return last

    async def watch(self, *, request_timeout: Duration | None = None) -> Iteration[Execution]:
        """The execution now and after each change of its state, until it has ended. A stream that breaks is begun
        again; `request_timeout` is of each."""
        breaks = Breaks()
        seen = None
        while True:
            try:
                async for message in self._watch_once(request_timeout):
                    state = (message.state, message.attempts)
                    if state == seen:
                        continue
                    seen = state
                    breaks.reset()
                    yield to_execution(message)
                return
            except DrydockError as error:
                await self._connection.sleep(breaks.wait_after(error))

    async def cancel(self, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> Execution:
        """One that waits never runs, and one that runs is stopped. One that has ended stays as it is."""
        request = execution_pb2.CancelExecutionRequest(execution_id=self.id)
        answer = await self._connection.unary(
            self._connection.stubs.executions.CancelExecution, request, request_timeout=request_timeout
        )
        return to_execution(answer.execution)

    async def output(
        self,
        stream: Literal["stdout", "stderr", "transcript"],
        *,
        request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT,
    ) -> bytes:
        """All that is kept of an output, or with `keep_transcript` of the talk with an interactor: lines of the program
        begin with `< `, those of the interactor with `> `. Raises ConflictError (EXECUTION_NOT_FINISHED)."""
        request = execution_pb2.ReadExecutionOutputRequest(execution_id=self.id, stream=stream)
        pieces = bytearray()
        read = self._connection.stubs.executions.ReadExecutionOutput
        with await self._connection.stream(read, request, request_timeout=request_timeout) as messages:
            while (message := await messages.read()) is not None:
                pieces += message.data
        return bytes(pieces)

    async def _watch_once(self, request_timeout: Duration | None) -> Iteration[execution_pb2.Execution]:
        request = execution_pb2.WatchExecutionRequest(execution_id=self.id)
        watch = self._connection.stubs.executions.WatchExecution
        ended = False
        with await self._connection.stream(watch, request, request_timeout=request_timeout) as messages:
            while (message := await messages.read()) is not None:
                ended = message.execution.state in _ENDED
                yield message.execution
        if not ended:
            raise ConnectionLostError("the watch ended before the execution")


Submitted: TypeAlias = AsyncJob | DrydockError
"""What came of one member of a batch."""


class AsyncExecutions:
    """Programs of the organisation."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def run(self, program: Program, *, request_timeout: Duration | None = None) -> Execution:
        """Runs a program now and answers when it has ended; a caller that is interrupted, or out of time, ends the
        program. A program that fails is a result. Raises InvalidArgumentError, QuotaExceededError, NoCapacityError."""
        answer = await self._connection.unary(
            self._connection.stubs.executions.RunCode, to_request(program), request_timeout=request_timeout
        )
        return to_execution(answer.execution)

    async def stream(self, program: Program, *, request_timeout: Duration | None = None) -> Iteration[RunEvent]:
        """The same with events as they happen; the last one is `finished`. Leaving the iteration ends the program."""
        request = to_stream_request(program)
        stream = self._connection.stubs.executions.StreamCode
        with await self._connection.stream(stream, request, request_timeout=request_timeout) as messages:
            while (message := await messages.read()) is not None:
                event = to_run_event(message)
                if event is not None:
                    yield event

    async def submit(self, program: Program, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> AsyncJob:
        """Puts a program in the queue: from then on it is run, whatever breaks. Raises as `run`, and QuotaExceededError
        (QUEUE_FULL)."""
        answer = await self._connection.unary(
            self._connection.stubs.executions.SubmitExecution, to_submission(program), request_timeout=request_timeout
        )
        return self.job(answer.execution.id)

    async def batch(
        self, programs: Iterable[Program], *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT
    ) -> Sequence[Submitted]:
        """Puts up to 1,000 programs in the queue. Each is taken or refused by itself: the answer has a job for each, or
        the error that `submit` raises."""
        request = execution_pb2.BatchSubmitExecutionsRequest(requests=[to_submission(each) for each in programs])
        answer = await self._connection.unary(
            self._connection.stubs.executions.BatchSubmitExecutions, request, request_timeout=request_timeout
        )
        return [self._submitted(each) for each in answer.results]

    def job(self, execution_id: str) -> AsyncJob:
        """An execution that was submitted before. It is not asked for: `job.get()` raises where there is none."""
        return AsyncJob(self._connection, execution_id)

    async def get(self, execution_id: str, *, request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT) -> Execution:
        """As `get` of a job."""
        return await self.job(execution_id).get(request_timeout=request_timeout)

    def list(
        self,
        *,
        states: Sequence[ExecutionState] = (),
        request_timeout: Duration | None = DEFAULT_REQUEST_TIMEOUT,
    ) -> AsyncPaged[Execution]:
        """Newest first, without their output. `states`: default all."""
        numbers = [number_of(execution_pb2.Execution.State, "states", each) for each in states]

        async def fetch(page_token: str) -> tuple[Sequence[Execution], str]:
            request = execution_pb2.ListExecutionsRequest(page_token=page_token, states=numbers)
            answer = await self._connection.unary(
                self._connection.stubs.executions.ListExecutions, request, request_timeout=request_timeout
            )
            return [to_execution(each) for each in answer.executions], answer.next_page_token

        return AsyncPaged(fetch)

    def _submitted(self, result: execution_pb2.BatchSubmitResult) -> Submitted:
        if result.WhichOneof("result") == "execution":
            return self.job(result.execution.id)
        error = result.error
        reason: str = name_of(error_reason_pb2.ErrorReason, error.reason)
        violations = tuple(FieldViolation(each.field, each.description) for each in error.field_violations)
        return class_of(reason)(error.message, reason=reason, field_violations=violations)
