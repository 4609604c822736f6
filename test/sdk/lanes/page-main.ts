import { type Ended, runAll, scenarios } from './run.ts';

const page = globalThis as unknown as { ended(end: Ended): Promise<void> };

// Two at once: a browser opens six connections to an origin, and a live command keeps one.
await runAll(scenarios, 2, (end) => page.ended(end));
