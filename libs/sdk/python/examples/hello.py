"""Runs a program, and says what became of it."""

import sys

from drydock import Drydock

with Drydock() as drydock:
    execution = drydock.run("python", "print(6 * 7)")
print(execution.verdict, execution.stdout.strip())
if execution.usage:
    print(f"{execution.usage.cpu_time} of CPU, {execution.usage.peak_memory_bytes} bytes", file=sys.stderr)
