"""Programs that are run, and queued."""

from __future__ import annotations

from datetime import timedelta

from drydock import (
    AsyncJob,
    DrydockError,
    InvalidArgumentError,
    NotFoundError,
    Program,
    ResourceLimits,
    TestCase,
)
from scenarios._async.support import open_tenant, operator
from scenarios._on_asyncio import Scenario, eventually, gather, interrupt_program
from scenarios._platform import SLEEP, raises

SQUARE = "print(int(input()) ** 2)"
FILES = """import os, sys, other
print(other.NAME, sys.argv[1:], os.environ["COLOUR"], input(), open("data.bin", "rb").read())
"""


async def hello() -> None:
    execution = await operator.run("python", "print(6 * 7)")
    assert (execution.verdict, execution.stdout, execution.exit_code) == ("ACCEPTED", "42\n", 0)
    assert execution.usage is not None
    assert execution.usage.wall_time > timedelta()


async def program_fails() -> None:
    execution = await operator.run("python", 'import sys; sys.exit("broken")')
    assert (execution.verdict, execution.exit_code, execution.stderr) == ("RUNTIME_ERROR", 1, "broken\n")


async def compile_error() -> None:
    execution = await operator.run("c", "int main() { return x; }")
    assert execution.verdict == "COMPILE_ERROR"
    assert execution.compile is not None
    assert execution.compile.exit_code == 1
    assert "undeclared" in execution.compile.stderr


async def program_killed_by_limit() -> None:
    limits = ResourceLimits(cpu_time=timedelta(milliseconds=300), wall_time=30)
    execution = await operator.run("python", "while True: pass", limits=limits)
    assert execution.verdict == "CPU_TIME_EXCEEDED"


async def program_files() -> None:
    execution = await operator.executions.run(
        Program(
            language="python",
            files={"main.py": FILES, "other.py": 'NAME = "other"', "data.bin": b"\x00\xff"},
            arguments=["a b"],
            environment={"COLOUR": "blue"},
            stdin="line\n",
        )
    )
    assert execution.stdout == "other ['a b'] blue line b'\\x00\\xff'\n", execution


async def judge() -> None:
    execution = await operator.run(
        "python",
        SQUARE,
        test_cases=[
            TestCase(name="right", stdin="3", expected_output="9"),
            TestCase(name="wrong", stdin="3", expected_output="8"),
        ],
    )
    assert execution.verdict == "WRONG_ANSWER"
    assert [(case.name, case.verdict) for case in execution.cases] == [("right", "ACCEPTED"), ("wrong", "WRONG_ANSWER")]
    assert execution.cases[1].stdout == "9\n"


async def program_streamed() -> None:
    seen = []
    # In one piece each: output is not held back until its line ends.
    source = 'import os, time\nfor i in range(3): os.write(1, b"%d\\n" % i); time.sleep(0.2)'
    async for event in operator.executions.stream(Program(language="python", source=source)):
        if event.type == "stdout":
            seen.append(event.text)
        if event.type == "finished":
            seen.append(event.execution.stdout)
    assert seen == ["0\n", "1\n", "2\n", "0\n1\n2\n"]


async def program_cancelled() -> None:
    async with open_tenant() as tenant:
        await interrupt_program(tenant.secret)
        events = tenant.drydock.executions.stream(Program(language="python", source=SLEEP))
        async for event in events:
            if event.type == "stdout":
                break
        await events.aclose()

        async def are_cancelled() -> bool:
            states = [execution.state async for execution in tenant.drydock.executions.list()]
            return states == ["CANCELLED", "CANCELLED"]

        await eventually(are_cancelled)


async def unknown_language() -> None:
    with raises(InvalidArgumentError) as raised:
        await operator.run("latin", "x")
    assert raised.error.reason == "LANGUAGE_NOT_FOUND"


async def queue() -> None:
    job = await operator.executions.submit(Program(language="python", source=SQUARE, stdin="5", expected_output="25"))
    execution = await job.wait()
    assert (execution.id, execution.state, execution.verdict) == (job.id, "FINISHED", "ACCEPTED")
    with raises(NotFoundError):
        await operator.executions.job("exe_01jv0000000000000000000000").wait()


async def queue_watch() -> None:
    job = await operator.executions.submit(Program(language="python", source="import time; time.sleep(0.5)"))
    states = [execution.state async for execution in job.watch()]
    assert states[-1] == "FINISHED"
    assert states[0] in ("QUEUED", "RUNNING")


async def queue_cancel() -> None:
    job = await operator.executions.submit(Program(language="python", source=SLEEP))
    assert (await job.cancel()).state == "CANCELLED"
    assert (await job.wait()).state == "CANCELLED"


async def queue_batch() -> None:
    programs = [Program(language="python", source=SQUARE, stdin=str(i)) for i in range(99)]
    results = await operator.executions.batch([*programs, Program(language="latin", source="x")])
    jobs = [result for result in results if isinstance(result, AsyncJob)]
    assert len(jobs) == 99
    refused = results[-1]
    assert isinstance(refused, DrydockError)
    assert refused.reason == "LANGUAGE_NOT_FOUND"
    ended = await gather(*(job.wait for job in jobs))
    assert [execution.stdout for execution in ended] == [f"{i**2}\n" for i in range(99)]


async def queue_list() -> None:
    async with open_tenant() as tenant:
        program = Program(language="python", source="print(1)", priority=1)
        jobs = await tenant.drydock.executions.batch([program] * 60)
        listed = await tenant.drydock.executions.list().to_list()
        ids = [job.id for job in jobs if isinstance(job, AsyncJob)]
        assert sorted(execution.id for execution in listed) == sorted(ids)
        assert len(ids) == 60
        assert len(await tenant.drydock.executions.list().to_list(limit=7)) == 7


async def queue_output() -> None:
    source = 'import sys\nsys.stdout.buffer.write(b"\\xff" + b"x" * 400_000)'
    job = await operator.executions.submit(Program(language="python", source=source))
    execution = await job.wait()
    assert (execution.stdout_truncated, execution.stdout_invalid_utf8) == (True, True)
    content = await job.output("stdout")
    assert (len(content), content[0]) == (400_001, 255)


SCENARIOS: dict[str, Scenario] = {
    "hello": hello,
    "program-fails": program_fails,
    "compile-error": compile_error,
    "program-killed-by-limit": program_killed_by_limit,
    "program-files": program_files,
    "judge": judge,
    "program-streamed": program_streamed,
    "program-cancelled": program_cancelled,
    "unknown-language": unknown_language,
    "queue": queue,
    "queue-watch": queue_watch,
    "queue-cancel": queue_cancel,
    "queue-batch": queue_batch,
    "queue-list": queue_list,
    "queue-output": queue_output,
}
