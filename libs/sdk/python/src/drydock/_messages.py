"""Between the messages of the API and the types of Python."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from drydock._errors import InvalidArgumentError
from drydock.v1 import resources_pb2


def new_request_id() -> str:
    """Makes a call safe to repeat."""
    return str(uuid.uuid4())


def time_in(message: Message, field: str) -> datetime | None:
    """A field of the message that is a time, in UTC; None where it is absent."""
    if not message.HasField(field):
        return None
    timestamp: Timestamp = getattr(message, field)
    return timestamp.ToDatetime(tzinfo=timezone.utc)


def to_timestamp(name: str, time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    if time.tzinfo is None:
        raise InvalidArgumentError(f"{name} has no time zone: make it with datetime.now(timezone.utc) + …")
    timestamp = Timestamp()
    timestamp.FromDatetime(time)
    return timestamp


def name_of(enum: Any, number: int) -> Any:
    """The name of a value of an enum; of one that a newer server has added, `UNRECOGNIZED`."""
    wrapper: EnumTypeWrapper = enum
    return wrapper.Name(number) if number in wrapper.values() else "UNRECOGNIZED"


def number_of(enum: Any, field: str, name: str | None) -> Any:
    """The value of an enum by its name; of None, its default."""
    wrapper: EnumTypeWrapper = enum
    if name is None:
        return 0
    if name not in wrapper.keys()[1:]:
        raise InvalidArgumentError(f"{field} is one of {', '.join(wrapper.keys()[1:])}, not {name!r}")
    return wrapper.Value(name)


def texts_in(field: str, values: Sequence[str]) -> Sequence[str]:
    """Raises InvalidArgumentError for one text, whose characters would be the texts."""
    if isinstance(values, str):
        raise InvalidArgumentError(f"{field} is a list of texts, not one text")
    return values


def bytes_of(output: resources_pb2.Output) -> bytes:
    """A piece of output."""
    return output.text.encode() if output.WhichOneof("content") == "text" else output.data
