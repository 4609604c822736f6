import { type Command, Option } from 'commander';
import type { Perform } from '../context.ts';
import { parseNumber } from '../units.ts';
import { examples } from './examples.ts';
import { limitOption, programOptions } from './programs.ts';

const STATES = ['QUEUED', 'RUNNING', 'FINISHED', 'CANCELLED'];
const actions = () => import('../actions/queue.ts');

export function declareQueue(program: Command, perform: Perform): void {
  const queue = program.command('queue').description('queue programs, and wait for their verdicts');
  declareSubmit(queue, perform);
  declareBatch(queue, perform);
  declareSight(queue, perform);
}

function declareSubmit(queue: Command, perform: Perform): void {
  const submit = programOptions(
    queue
      .command('submit')
      .description('Queues a program and shows its id. From then on it is run, whatever breaks.')
      .argument('<file>', `the program, or '-' for one on standard input (with --language)`)
      .argument('[args...]', 'arguments of the program, after --'),
  )
    .option('--stdin <file>', 'input of the program')
    .option('--expected <file>', 'output that the verdict asks for')
    .addOption(
      new Option('--comparison <how>', 'how the output is held against it').choices([
        'TRAILING_SPACE',
        'EXACT',
        'TOKENS',
        'FLOAT',
      ]),
    )
    .option('--priority <number>', 'among your own, -100 to 100: higher is first', parseNumber)
    .option('--wait', 'waits for the verdict')
    .option('-q, --quiet', 'shows its id alone')
    .action((file, args, options) =>
      perform(async (context) => (await actions()).submit(context, file, args, options)),
    );
  examples(
    submit,
    'drydock queue submit main.cpp --stdin 1.in --expected 1.out --wait',
    'id=$(drydock queue submit main.py --quiet)',
  );
}

function declareBatch(queue: Command, perform: Perform): void {
  const batch = queue
    .command('batch')
    .description(
      'Queues a program for each line of a file and waits for all of them. A line is JSON with the fields of a submission, such as ' +
        'language, source, stdin, expectedOutput, testCases, limits. Each result is a line of JSON, as it ends; progress is on ' +
        'standard error. Ctrl-C cancels what has not ended.',
    )
    .argument('<file>', `the submissions, or '-' for standard input`)
    .option('--detach', 'does not wait: shows ids')
    .action((file, options) =>
      perform(async (context) => (await import('../actions/batch.ts')).batch(context, file, options)),
    );
  examples(
    batch,
    'drydock queue batch submissions.jsonl > results.jsonl',
    'drydock queue batch --detach submissions.jsonl',
  );
}

function declareSight(queue: Command, perform: Perform): void {
  queue
    .command('wait')
    .description('Waits for executions to end and shows their verdicts. The exit code is 1 if one is not ACCEPTED.')
    .argument('<execution...>', 'their ids')
    .action((ids) => perform(async (context) => (await actions()).wait(context, ids)));
  queue
    .command('watch')
    .description('Shows each state of an execution until it has ended.')
    .argument('<execution>', 'its id')
    .action((id) => perform(async (context) => (await actions()).watch(context, id)));
  queue
    .command('cancel')
    .description('Cancels executions: one that waits never runs, and one that runs is stopped.')
    .argument('<execution...>', 'their ids')
    .action((ids) => perform(async (context) => (await actions()).cancel(context, ids)));
  queue
    .command('get')
    .description('Shows an execution.')
    .argument('<execution>', 'its id')
    .action((id) => perform(async (context) => (await actions()).get(context, id)));
  const output = queue
    .command('output')
    .description('Writes all that is kept of the output of an execution that has ended.')
    .argument('<execution>', 'its id')
    .option('--stderr', 'its standard error instead')
    .action((id, options) => perform(async (context) => (await actions()).output(context, id, options)));
  examples(output, 'drydock queue output exe_… > result.bin');
  limitOption(
    queue
      .command('list')
      .description('Lists executions, newest first.')
      .addOption(new Option('--state <state...>', 'only those in it').choices(STATES)),
  ).action((options) => perform(async (context) => (await actions()).list(context, options)));
}
