import { type Command, Option } from 'commander';
import type { Perform } from '../context.ts';
import { collectPairs, parseBytes, parseCount, parseDuration, parseNumber } from '../units.ts';
import { examples } from './examples.ts';
import { limitOption } from './programs.ts';

const STATES = ['PENDING', 'RUNNING', 'PAUSED', 'STOPPED'];
const actions = () => import('../actions/sandbox.ts');

export function declareSandboxes(program: Command, perform: Perform): void {
  const sandbox = program.command('sandbox').description('make, list and delete live sandboxes');
  declareLife(sandbox, perform);
  declareSight(sandbox, perform);
}

function declareLife(sandbox: Command, perform: Perform): void {
  const create = sandbox
    .command('create')
    .description('Makes a sandbox and shows it when it runs.')
    .argument('<template>', 'what it is made of')
    .option('--lifetime <duration>', 'how long it may live, to 24h; default 5m', parseDuration)
    .option('--memory <size>', 'limit of memory, such as 512MiB', parseBytes)
    .option('--disk <size>', 'limit of its files', parseBytes)
    .option('--cpus <number>', 'limit of CPUs, such as 0.5', parseNumber)
    .option('--processes <number>', 'limit of processes', parseCount)
    .option('-e, --env <KEY=VALUE>', 'variable of every command; may be repeated', collectPairs)
    .option('--label <KEY=VALUE>', 'to find it by; may be repeated', collectPairs)
    .option('-q, --quiet', 'shows its id alone')
    .action((template, options) => perform(async (context) => (await actions()).create(context, template, options)));
  examples(
    create,
    'drydock sandbox create python --lifetime 1h',
    'id=$(drydock sandbox create python --quiet --memory 1GiB --label task=42)',
  );
  sandbox
    .command('delete')
    .description('Deletes sandboxes with all that is in them.')
    .argument('<sandbox...>', 'their ids')
    .action((ids) => perform(async (context) => (await actions()).remove(context, ids)));
  sandbox
    .command('extend')
    .description('Lets a sandbox live for that long from now.')
    .argument('<sandbox>', 'id of the sandbox')
    .argument('<duration>', 'such as 30m, to 24h', parseDuration)
    .action((id, lifetime) => perform(async (context) => (await actions()).extend(context, id, lifetime)));
}

function declareSight(sandbox: Command, perform: Perform): void {
  const list = limitOption(
    sandbox
      .command('list')
      .description('Lists sandboxes, newest first.')
      .addOption(new Option('--state <state...>', 'only those in it; default: PENDING RUNNING PAUSED').choices(STATES))
      .option('--label <KEY=VALUE>', 'only those with it; may be repeated', collectPairs)
      .option('-q, --quiet', 'shows their ids alone'),
  ).action((options) => perform(async (context) => (await actions()).list(context, options)));
  examples(list, 'drydock sandbox list --label task=42', 'drydock sandbox list --state STOPPED --output jsonl');
  sandbox
    .command('get')
    .description('Shows a sandbox, running or stopped.')
    .argument('<sandbox>', 'id of the sandbox')
    .action((id) => perform(async (context) => (await actions()).get(context, id)));
  sandbox
    .command('ps')
    .description('Lists commands of a sandbox that run, or ended within the last minute.')
    .argument('<sandbox>', 'id of the sandbox')
    .action((id) => perform(async (context) => (await actions()).processes(context, id)));
  const logs = sandbox
    .command('logs')
    .description(
      'Shows what is kept of the output of a command, to 1 MiB of each stream, and what follows until it ends.',
    )
    .argument('<sandbox>', 'id of the sandbox')
    .argument('[process]', 'id of the command; default: the last')
    .action((id, process) => perform(async (context) => (await actions()).logs(context, id, process)));
  examples(logs, 'drydock exec --detach sbx_… -- make', 'drydock sandbox logs sbx_…');
}
