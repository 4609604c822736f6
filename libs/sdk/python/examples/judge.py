"""Judges a submission in C++ by test cases, and shows what came of each."""

from drydock import Drydock, Program, ResourceLimits, TestCase

SOURCE = """
#include <iostream>
int main() { long long a, b; std::cin >> a >> b; std::cout << a + b << std::endl; }
"""

with Drydock() as drydock:
    job = drydock.executions.submit(
        Program(
            language="cpp",
            source=SOURCE,
            test_cases=[
                TestCase(name="small", stdin="1 2", expected_output="3"),
                TestCase(name="large", stdin="4000000000 4000000000", expected_output="8000000000"),
            ],
            limits=ResourceLimits(cpu_time=2, memory_bytes=256 * 1024 * 1024),
        )
    )
    execution = job.wait()
if execution.compile and execution.verdict == "COMPILE_ERROR":
    print(execution.compile.stderr)
for case in execution.cases:
    print(case.name, case.verdict)
print(execution.verdict)
