import { Command, Option } from 'commander';
import { DrydockError } from '#libs/errors.ts';
import { type Isolation, RunCodeRequest } from '#proto/drydock/v1/execution.ts';
import { prepareMachine, startBenchPlatform } from '../bench/machine.ts';
import { tableOf } from '../bench/report.ts';
import { connectGrpc } from '../support/api.ts';
import { type Judgement, judgements } from './judgements.ts';

const command = new Command('npm run verdicts --')
  .description('Runs every language to every verdict, again and again, and says what was misjudged.')
  .option('--repeat <number>', 'how often each is run', '10')
  .option('--language <names>', 'only these, with commas between them')
  .option('--concurrency <number>', 'how many at one time', '4')
  .addOption(new Option('--isolation <isolation>', 'what keeps them apart').choices(['CELL', 'SANDBOX']))
  .parse();
const options = command.opts<{ repeat: string; language?: string; concurrency: string; isolation?: Isolation }>();
const [repeat, concurrency] = [Number(options.repeat), Number(options.concurrency)];
const wanted = options.language?.split(',');

const chosen = judgements.filter(({ language }) => !wanted || wanted.includes(language));
const judged = new Map(chosen.map((judgement) => [judgement, [] as string[]]));
const waiting = Array.from({ length: repeat }, () => chosen).flat();

await using _machine = await prepareMachine();
await using platform = await startBenchPlatform();
using api = connectGrpc(platform, platform.apiKey);
await Promise.all(Array.from({ length: concurrency }, work));

const kinds = [...new Set(chosen.map(({ kind }) => kind))];
const languages = [...new Set(chosen.map(({ language }) => language))];
const rows = languages.map((language) => [language, ...kinds.map((kind) => cell(language, kind))]);
const misjudged = [...judged].flatMap(([judgement, got]) => got.filter((came) => came !== nameOf(judgement)));
process.stdout.write(`${tableOf(['language', ...kinds], rows)}\n`);
process.stdout.write(`${repeat * chosen.length} judged, ${misjudged.length} misjudged\n`);
process.exitCode = misjudged.length > 0 ? 1 : 0;

async function work(): Promise<void> {
  for (let judgement = waiting.shift(); judgement; judgement = waiting.shift()) {
    judged.get(judgement)!.push(await judge(judgement));
  }
}

/** What comes of it, or the reason why nothing did. */
async function judge({ request, signal }: Judgement): Promise<string> {
  try {
    const execution = await api.runCode(RunCodeRequest.create({ ...request, isolation: options.isolation }));
    return nameOf({ verdict: execution.verdict, ...(signal && { signal: execution.signal || 'no signal' }) });
  } catch (error) {
    return error instanceof DrydockError ? error.reason : String(error);
  }
}

function nameOf({ verdict, signal }: Pick<Judgement, 'verdict' | 'signal'>): string {
  return signal ? `${verdict} by ${signal}` : verdict;
}

/** `10/10`, and below it what came instead of the verdict. */
function cell(language: string, kind: string): string {
  const judgement = chosen.find((each) => each.language === language && each.kind === kind);
  if (!judgement) return '–';
  const got = judged.get(judgement)!;
  const wrong = got.filter((came) => came !== nameOf(judgement));
  return [`${got.length - wrong.length}/${got.length}`, ...new Set(wrong)].join('\n');
}
