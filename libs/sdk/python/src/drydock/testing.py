"""A fake server for tests of programs that use Drydock.

    with FakeServer() as server:
        server.on("RunCode", RunCodeResponse(execution=Execution(id="exe_1", stdout="42\\n")))
        drydock = Drydock(url=server.url, api_key="dk_test")
        assert drydock.run("python", "print(42)").stdout == "42\\n"
        assert server.requests("RunCode")[0].source == "print(42)"

The real client talks to it over the loopback interface; messages are those of `drydock.v1`. It knows nothing of the
platform: it answers as it is told, and keeps what it was asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import ModuleType, TracebackType
from typing import Any, TypeAlias

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from drydock._errors import (
    ConflictError,
    DrydockError,
    InvalidArgumentError,
    NoCapacityError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    SandboxNotRunningError,
    TimeoutError,
    UnauthenticatedError,
    UnavailableError,
)
from drydock.v1 import (
    auth_pb2,
    blob_pb2,
    execution_pb2,
    file_pb2,
    process_pb2,
    sandbox_pb2,
    template_pb2,
    test_set_pb2,
    webhook_pb2,
)

__all__ = ["Answer", "FakeCall", "FakeServer"]

Step: TypeAlias = Message | DrydockError
Answer: TypeAlias = Step | Sequence[Step] | Callable[[Any], "Step | Iterable[Step]"]
"""A message or an error; a list of messages for a stream, at whose end may be an error; or a function of the request, a
list of them where the client streams, that answers with one of these."""

_SERVICES: tuple[ModuleType, ...] = (
    auth_pb2,
    blob_pb2,
    execution_pb2,
    file_pb2,
    process_pb2,
    sandbox_pb2,
    template_pb2,
    test_set_pb2,
    webhook_pb2,
)
_METHODS: Mapping[str, MethodDescriptor] = {
    f"/{service.full_name}/{method.name}": method
    for module in _SERVICES
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
_NAMES = {method.name for method in _METHODS.values()}
_CODES: Sequence[tuple[type[DrydockError], grpc.StatusCode]] = (
    (NotFoundError, grpc.StatusCode.NOT_FOUND),
    (InvalidArgumentError, grpc.StatusCode.INVALID_ARGUMENT),
    (UnauthenticatedError, grpc.StatusCode.UNAUTHENTICATED),
    (PermissionDeniedError, grpc.StatusCode.PERMISSION_DENIED),
    (QuotaExceededError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (NoCapacityError, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (ConflictError, grpc.StatusCode.FAILED_PRECONDITION),
    (SandboxNotRunningError, grpc.StatusCode.FAILED_PRECONDITION),
    (UnavailableError, grpc.StatusCode.UNAVAILABLE),
    (TimeoutError, grpc.StatusCode.DEADLINE_EXCEEDED),
)


@dataclass(frozen=True)
class FakeCall:
    """A call that was made."""

    method: str
    """Such as `RunCode`."""
    requests: Sequence[Any]
    """One, or as many as a client streamed."""
    metadata: Mapping[str, str | bytes]
    ended: threading.Event
    """It was answered, or its client has left."""


class FakeServer:
    """Leaving its scope ends it. API keys are exchanged for a token; any other call fails with NOT_IMPLEMENTED until
    `on` tells how to answer it."""

    url: str
    calls: list[FakeCall]
    """In their order, without those that exchange API keys."""

    def __init__(self) -> None:
        self.calls = []
        self._lock = threading.Lock()
        self._answers: dict[str, list[Answer]] = {}
        self._server = grpc.server(ThreadPoolExecutor(64, thread_name_prefix="drydock-fake"))
        self._server.add_generic_rpc_handlers((_Handler(self._answer),))
        port = self._server.add_insecure_port("127.0.0.1:0")
        self.url = f"http://127.0.0.1:{port}"
        self.on("ExchangeToken", auth_pb2.ExchangeTokenResponse(token="fake-token"))

    def on(self, method: str, *answers: Answer) -> None:
        """Answers the calls of a method, such as `RunCode`, with these in turn; the last one again and again."""
        if method not in _NAMES:
            raise ValueError(f"the API has no method {method!r}")
        if not answers:
            raise ValueError("on() takes at least one answer")
        with self._lock:
            self._answers[method] = list(answers)

    def requests(self, method: str) -> list[Any]:
        """Those of all calls of a method, in their order."""
        with self._lock:
            return [request for call in self.calls if call.method == method for request in call.requests]

    def __enter__(self) -> FakeServer:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(grace=None).wait()

    def _answer(self, call: FakeCall) -> Iterator[Step]:
        with self._lock:
            if call.method != "ExchangeToken":
                self.calls.append(call)
            answers = self._answers.get(call.method)
            answer = None if answers is None else answers.pop(0) if len(answers) > 1 else answers[0]
        if answer is None:
            yield DrydockError(f"the fake server was not told how to answer {call.method}", reason="NOT_IMPLEMENTED")
            return
        if callable(answer):
            method = next(each for each in _METHODS.values() if each.name == call.method)
            steps = answer(call.requests if method.client_streaming else call.requests[0])
        else:
            steps = answer
        if isinstance(steps, (Message, DrydockError)):
            yield steps
        else:
            yield from steps


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, answer: Callable[[FakeCall], Iterator[Step]]) -> None:
        self._answer = answer

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        method = _METHODS.get(details.method)
        if method is None:
            return None
        metadata = dict(details.invocation_metadata or ())

        def stream(requests: Sequence[Any], context: grpc.ServicerContext) -> Iterator[Message]:
            ended = threading.Event()
            if not context.add_callback(ended.set):
                ended.set()
            for step in self._answer(FakeCall(method.name, requests, metadata, ended)):
                if isinstance(step, DrydockError):
                    _abort(context, step)
                else:
                    yield step

        def one(requests: Sequence[Any], context: grpc.ServicerContext) -> Message:
            return next(stream(requests, context))

        codec: dict[str, Any] = {
            "request_deserializer": GetMessageClass(method.input_type).FromString,
            "response_serializer": GetMessageClass(method.output_type).SerializeToString,
        }
        if method.client_streaming:
            return grpc.stream_unary_rpc_method_handler(lambda requests, context: one(list(requests), context), **codec)
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(lambda request, context: stream([request], context), **codec)
        return grpc.unary_unary_rpc_method_handler(lambda request, context: one([request], context), **codec)


def _abort(context: grpc.ServicerContext, error: DrydockError) -> None:
    code = next((code for kind, code in _CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)
    status = status_pb2.Status(code=code.value[0], message=error.message)
    status.details.add().Pack(
        error_details_pb2.ErrorInfo(reason=error.reason, domain="drydock", metadata=dict(error.metadata))
    )
    if error.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(error.retry_after)
        status.details.add().Pack(retry)
    if error.field_violations:
        request = error_details_pb2.BadRequest()
        for violation in error.field_violations:
            request.field_violations.add(field=violation.field, description=violation.description)
        status.details.add().Pack(request)
    metadata = [("grpc-status-details-bin", status.SerializeToString())]
    if error.request_id is not None:
        metadata.append(("x-request-id", error.request_id.encode()))
    context.set_trailing_metadata(tuple(metadata))
    context.abort(code, error.message)
