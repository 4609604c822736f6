"""What programs and sandboxes may use, and what they used."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta

from drydock._durations import Duration, to_message
from drydock.v1 import resources_pb2

_TIMES = ("wall_time", "cpu_time")


@dataclass(frozen=True, kw_only=True)
class ResourceLimits:
    """What a sandbox or a program may use. None takes the template's or the language's default. A value out of range is
    refused with InvalidArgumentError; nothing means no limit."""

    wall_time: Duration | None = None
    """Of one run by the clock, executions only. Above 0, to 300 s; default 10 s."""
    cpu_time: Duration | None = None
    """Of one run with all that it starts, executions only. Above 0, to 300 s; default 10 s."""
    memory_bytes: int | None = None
    """Of everything together, files in memory included; there is no swap. 64 MiB to 8 GiB; default: the template's."""
    processes: int | None = None
    """Processes and threads at one time. 16 to 4,096; default: the template's."""
    output_bytes: int | None = None
    """Of each output, executions only; a program that writes more is stopped. 1 byte to 4 MiB; default 1 MiB."""
    disk_bytes: int | None = None
    """Files in the home and in /tmp. 1 MiB to 4 GiB, and half of the memory at most; default: the template's, or that
    half."""
    cpus: float | None = None
    """0.5 is half of one. 0.05 to 16; default: the template's."""
    stack_bytes: int | None = None
    """Of each process's first thread, executions only. 64 KiB to 4 GiB, and half of the memory at most; default 64 MiB,
    or that half."""
    file_bytes: int | None = None
    """The largest file that a program may write, executions only. 1 byte to `disk_bytes`, which is the default."""
    open_files: int | None = None
    """Of one process, executions only. 16 to 4,096; default 1,024."""


@dataclass(frozen=True, kw_only=True)
class ResourceUsage:
    """What a program used, with everything that it started."""

    cpu_time: timedelta
    wall_time: timedelta
    peak_memory_bytes: int
    oom_kills: int
    """Processes that the kernel ended for want of memory."""


_NUMBERS = tuple(field.name for field in fields(ResourceLimits) if field.name not in _TIMES)


def to_limits(limits: ResourceLimits | None) -> resources_pb2.ResourceLimits | None:
    if limits is None:
        return None
    message = resources_pb2.ResourceLimits(
        wall_time=to_message("wall_time", limits.wall_time),
        cpu_time=to_message("cpu_time", limits.cpu_time),
    )
    for name in _NUMBERS:
        value = getattr(limits, name)
        if value is not None:
            setattr(message, name, value)
    return message


def from_limits(message: resources_pb2.ResourceLimits) -> ResourceLimits:
    numbers = {field.name: value for field, value in message.ListFields() if field.name in _NUMBERS}
    return ResourceLimits(
        wall_time=message.wall_time.ToTimedelta() if message.HasField("wall_time") else None,
        cpu_time=message.cpu_time.ToTimedelta() if message.HasField("cpu_time") else None,
        **numbers,
    )


def from_usage(message: resources_pb2.ResourceUsage) -> ResourceUsage:
    return ResourceUsage(
        cpu_time=message.cpu_time.ToTimedelta(),
        wall_time=message.wall_time.ToTimedelta(),
        peak_memory_bytes=message.peak_memory_bytes,
        oom_kills=message.oom_kills,
    )
