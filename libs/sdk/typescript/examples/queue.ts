// Queues 1,000 programs, or as many as the first argument says, and shows progress as they end.
import { Drydock } from '@drydock/sdk';

const count = Number(process.argv[2] ?? 1_000);
const submissions = Array.from({ length: count }, (_, i) => ({
  language: 'python',
  source: 'print(int(input()) ** 2)',
  stdin: `${i}`,
  expectedOutput: `${i ** 2}`,
}));

using drydock = new Drydock();
const results = await drydock.executions.batch(submissions);
const verdicts = new Map<string, number>();
let ended = 0;
const jobs = results.flatMap((result) => ('wait' in result ? [result] : []));
await Promise.all(
  jobs.map(async (job) => {
    const { verdict = 'CANCELLED' } = await job.wait();
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
    ended += 1;
    if (ended % 100 === 0) console.error(`${ended} of ${jobs.length}`);
  }),
);
console.log(Object.fromEntries(verdicts));
