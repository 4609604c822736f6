"""Queues 1,000 programs, or as many as the first argument says, and shows progress as they end."""

import asyncio
import sys
from collections import Counter

from drydock import AsyncDrydock, AsyncJob, Program


async def main(count: int) -> None:
    programs = [
        Program(language="python", source="print(int(input()) ** 2)", stdin=str(i), expected_output=str(i**2))
        for i in range(count)
    ]
    async with AsyncDrydock() as drydock:
        results = await drydock.executions.batch(programs)
        jobs = [result for result in results if isinstance(result, AsyncJob)]
        verdicts: Counter[str] = Counter()
        for ended, next_end in enumerate(asyncio.as_completed([job.wait() for job in jobs]), start=1):
            execution = await next_end
            verdicts[execution.verdict or execution.state] += 1
            if ended % 100 == 0:
                print(f"{ended} of {len(jobs)}", file=sys.stderr)
    print(dict(verdicts))


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000))
