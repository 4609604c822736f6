"""Points, talks, blobs and test sets."""

from __future__ import annotations

import os
from hashlib import sha256
from io import BytesIO
from zipfile import ZipFile

from drydock import BlobFile, Interactor, InvalidArgumentError, NotFoundError, Program, TestCase, TestGroup
from scenarios._async.support import open_tenant, operator
from scenarios._on_asyncio import Scenario
from scenarios._platform import raises

SQUARE = "print(int(input()) ** 2)"
GUESSES = """low, high = 1, 100
while True:
    guess = (low + high) // 2
    print(guess, flush=True)
    answer = input()
    if answer == "right": break
    if answer == "more": low = guess + 1
    else: high = guess - 1
"""
HOLDS = """import sys
number = int(open(sys.argv[1]).read())
while (guess := int(input())) != number: print("more" if guess < number else "less", flush=True)
print("right", flush=True)
sys.exit(42)
"""


async def points() -> None:
    cases = [
        TestCase(stdin="1", expected_output="1", group="all"),
        TestCase(stdin="2", expected_output="4", group="sum"),
        TestCase(stdin="3", expected_output="8", group="sum"),
    ]
    groups = [TestGroup(name="all", points=10), TestGroup(name="sum", points=6, aggregation="SUM")]
    execution = await operator.run("python", SQUARE, test_cases=cases, groups=groups, parallelism=2)
    assert (execution.verdict, execution.score, execution.max_score) == ("WRONG_ANSWER", 13, 16)
    assert [(group.name, group.verdict, group.score, group.max_score) for group in execution.groups] == [
        ("all", "ACCEPTED", 10, 10),
        ("sum", "WRONG_ANSWER", 3, 6),
    ]
    assert [(case.score, case.skipped) for case in execution.cases] == [(10, False), (3, False), (0, False)]
    circle = [TestGroup(name="all", depends_on=["sum"]), TestGroup(name="sum", depends_on=["all"])]
    with raises(InvalidArgumentError):
        await operator.run("python", SQUARE, test_cases=cases, groups=circle)


async def interactive() -> None:
    program = Program(
        language="python",
        source=GUESSES,
        test_cases=[TestCase(stdin="37")],
        interactor=Interactor(language="python", source=HOLDS, protocol="KATTIS"),
        keep_transcript=True,
    )
    job = await operator.executions.submit(program)
    execution = await job.wait()
    assert execution.verdict == "ACCEPTED", execution
    assert await job.output("transcript") == b"< 50\n> less\n< 25\n> more\n< 37\n> right\n"


async def blob() -> None:
    content = os.urandom(3 * 1024 * 1024)
    missing = sha256(b"missing").hexdigest()
    async with open_tenant() as tenant:
        blobs = tenant.drydock.blobs
        put = await blobs.put(content)
        assert (put.sha256, put.size_bytes) == (sha256(content).hexdigest(), len(content))
        assert await blobs.read(put.sha256) == content
        stat = await blobs.stat([missing, put.sha256])
        assert ([found.sha256 for found in stat.blobs], stat.missing) == ([put.sha256], (missing,))
        case = TestCase(stdin_blob=put.sha256, expected_output=str(len(content)))
        source = "import sys; print(len(sys.stdin.buffer.read()))"
        execution = await tenant.drydock.run("python", source, test_cases=[case])
        assert execution.verdict == "ACCEPTED", execution
        files: dict[str, str | BlobFile] = {
            "main.py": "print(len(open('data', 'rb').read()))",
            "data": BlobFile(put.sha256),
        }
        execution = await tenant.drydock.executions.run(Program(language="python", files=files))
        assert execution.stdout == f"{len(content)}\n", execution
        with raises(NotFoundError) as raised:
            await blobs.read(missing)
        assert raised.error.reason == "BLOB_NOT_FOUND"


async def test_set() -> None:
    async with open_tenant() as tenant:
        test_sets = tenant.drydock.test_sets
        cases = [TestCase(name="right", stdin="3", expected_output="9"), TestCase(stdin="3", expected_output="8")]
        made = await test_sets.create("squares", cases, version="1")
        assert (made.case_count, made.cases[0].name) == (2, "right")
        job = await tenant.drydock.executions.submit(Program(language="python", source=SQUARE, test_set=made.id))
        execution = await job.wait()
        assert [case.verdict for case in execution.cases] == ["ACCEPTED", "WRONG_ANSWER"]
        assert [each.id async for each in test_sets.list(name="squares")] == [made.id]
        assert await test_sets.list(name="others").to_list() == []
        assert await test_sets.get(made.id) == made
        await test_sets.delete(made.id)
        with raises(NotFoundError):
            await test_sets.get(made.id)


async def test_set_import() -> None:
    package = BytesIO()
    with ZipFile(package, "w") as archive:
        for number in (1, 2):
            archive.writestr(f"{number}.in", f"{number}\n")
            archive.writestr(f"{number}.ans", f"{number**2}\n")
    async with open_tenant() as tenant:
        test_sets = tenant.drydock.test_sets
        imported = await test_sets.import_package(package.getvalue(), name="squares")
        assert (imported.test_set.name, imported.test_set.case_count) == ("squares", 2)
        program = Program(language="python", source=SQUARE, test_set=imported.test_set.id)
        execution = await (await tenant.drydock.executions.submit(program)).wait()
        assert [case.verdict for case in execution.cases] == ["ACCEPTED", "ACCEPTED"]
        with raises(InvalidArgumentError) as raised:
            await test_sets.import_package(b"no zip", name="squares")
        assert raised.error.reason == "PACKAGE_INVALID"


SCENARIOS: dict[str, Scenario] = {
    "points": points,
    "interactive": interactive,
    "blob": blob,
    "test-set": test_set,
    "test-set-import": test_set_import,
}
