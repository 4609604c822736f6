import { processes } from '../scenarios/processes.ts';
import { runAll, scenarios } from './run.ts';

await runAll({ ...scenarios, ...processes }, 4, (ended) => console.log(JSON.stringify(ended)));
// Clients that a failed scenario left open would keep it alive.
process.exit(0);
