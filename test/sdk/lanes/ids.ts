import { SCENARIOS } from '../outcomes.ts';

/** What each lane of the TypeScript SDK tries every time; all of them are run by `npm run sdk:scenarios`. */
const BRIEF = [
  'hello',
  'request-ids',
  'request-timeout',
  'program-streamed',
  'queue',
  'command-events',
  'command-input',
  'files-text',
  'connection-cut-command',
];

/** Which of these scenarios to run now. */
export function idsToRun(isPossible: (id: string) => boolean = () => true): string[] {
  const all = SCENARIOS.map(({ id }) => id).filter(isPossible);
  return process.env.SDK_SCENARIOS === 'all' ? all : all.filter((id) => BRIEF.includes(id));
}
