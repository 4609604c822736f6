"""What scenarios of threads are made of. `_on_asyncio` has the same names."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeAlias, TypeVar

from scenarios._platform import AT_ONE_TIME, LONGEST_SECONDS, SLEEP, URL, send, tell_end

T = TypeVar("T")

Scenario: TypeAlias = Callable[[], None]

HELLO = """
from drydock import Drydock

print(Drydock().run("python", "print(42)").stdout, end="")
"""
IN_TIME = """
import sys
from drydock import Sandbox

print(Sandbox.connect(sys.argv[1]).commands.run("echo in time", timeout=3600).stdout, end="")
"""
_HEAR = f"""
from drydock import Drydock, Program

for event in Drydock().executions.stream(Program(language="python", source={SLEEP!r})):
    if event.type == "stdout":
        print("up", flush=True)
"""
_RUN = """
import sys
from drydock import Sandbox

sandbox = Sandbox.connect(sys.argv[1])
sandbox.commands.run("echo up; sleep 60", on_stdout=lambda text: print(text, flush=True))
"""


def run_all(scenarios: Mapping[str, Scenario]) -> None:
    def run(name: str, scenario: Scenario) -> None:
        began = time.monotonic()
        error: BaseException | None = None
        try:
            scenario()
        except Exception as raised:
            error = raised
        tell_end(name, began, error)

    pool = ThreadPoolExecutor(AT_ONE_TIME)
    works = [pool.submit(run, name, scenario) for name, scenario in scenarios.items()]
    wait(works, timeout=LONGEST_SECONDS * 4)
    # A scenario that hangs has no line, which fails it; its thread would keep the process alive.
    sys.stdout.flush()
    os._exit(0)


def control(method: str, path: str) -> dict[str, Any]:
    return send(method, path)


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def gather(*works: Callable[[], T]) -> list[T]:
    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(work) for work in works]]


class Spawned:
    def __init__(self, work: Callable[[], Any]) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._future = self._pool.submit(work)

    def wait(self) -> Any:
        with self._pool:
            return self._future.result()


def eventually(check: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, f"{check.__qualname__} does not come true"
        time.sleep(0.1)


def run_python(source: str, environment: Mapping[str, str], *arguments: str) -> str:
    """Its standard output; raises RuntimeError with its standard error where it fails."""
    process = subprocess.run(
        [sys.executable, "-c", source, *arguments],
        env={"PATH": os.environ["PATH"], "HOME": "/nowhere", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode != 0:
        raise RuntimeError(process.stderr)
    return process.stdout.strip()


def interrupt_program(secret: str) -> None:
    """Ctrl-C, once a program is up."""
    _interrupt(_HEAR, secret)


def interrupt_command(secret: str, sandbox_id: str) -> None:
    """Ctrl-C, once a command is up."""
    _interrupt(_RUN, secret, sandbox_id)


def _interrupt(source: str, secret: str, *arguments: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", source, *arguments],
        env={"PATH": os.environ["PATH"], "DRYDOCK_URL": URL, "DRYDOCK_API_KEY": secret},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().strip() == "up"
        process.send_signal(signal.SIGINT)
        stderr = process.stderr.read()
        assert "KeyboardInterrupt" in stderr, stderr
