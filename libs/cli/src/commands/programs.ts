import type { Command } from 'commander';
import type { Perform } from '../context.ts';
import { collect, collectPairs, parseBytes, parseCount, parseDuration, parseNumber } from '../units.ts';
import { examples } from './examples.ts';

/** What a program may use, of `run` and `queue submit`. */
export function programOptions(command: Command): Command {
  return command
    .option('-l, --language <name>', 'default: by the file name')
    .option('--include <file>', 'a file beside it; may be repeated', collect)
    .option('--blob-file <NAME=SHA256>', 'a file beside it whose content is a blob; may be repeated', collectPairs)
    .option('-e, --env <KEY=VALUE>', 'variable of the program; may be repeated', collectPairs)
    .option('--compiler-option <option>', 'added to those of the compiler; may be repeated', collect)
    .option('--time <duration>', 'limit by the clock, and of CPU time', parseDuration)
    .option('--memory <size>', 'limit of memory, such as 512MiB', parseBytes)
    .option('--cpus <number>', 'limit of CPUs, such as 0.5', parseNumber);
}

export function declarePrograms(program: Command, perform: Perform): void {
  const run = programOptions(
    program
      .command('run')
      .summary('run a program')
      .description(
        'Runs a program in a fresh sandbox. Its output, its errors and its exit code are those of the command.',
      )
      .argument('<file>', `the program, or '-' for one on standard input (with --language)`)
      .argument('[args...]', 'arguments of the program, after --'),
  )
    .option(
      '--no-stdin',
      'gives the program an empty input; else standard input is read to its end, unless it is a terminal',
    )
    .option('--watch', 'runs it again whenever a file of it changes')
    .option('--stats', 'tells on standard error what it used')
    .action((file, args, options) =>
      perform(async (context) => (await import('../actions/run.ts')).run(context, file, args, options)),
    );
  examples(
    run,
    'drydock run hello.py',
    'echo 5 | drydock run square.cpp',
    'drydock run main.py --include util.py -- --verbose',
  );

  const exec = program
    .command('exec')
    .summary('run a command in a sandbox')
    .description('Runs a command in a sandbox that runs. No shell is involved. Ctrl-C kills the command.')
    .argument('<sandbox>', 'id of the sandbox')
    .argument('<command...>', 'the command and its arguments, after --')
    .option('-e, --env <KEY=VALUE>', 'variable of the command; may be repeated', collectPairs)
    .option('-w, --workdir <path>', 'where it runs; default: the home')
    .option('--timeout <duration>', 'kills it then', parseDuration)
    .option('-i, --interactive', 'passes standard input on though it is a terminal')
    .option('-d, --detach', 'starts it and shows its id')
    .action((sandbox, command, options) =>
      perform(async (context) => (await import('../actions/exec.ts')).exec(context, sandbox, command, options)),
    );
  examples(exec, 'drydock exec sbx_… -- ls -la', 'drydock exec sbx_… -w /tmp -e LANG=C -- sort < names.txt');

  const shell = program
    .command('shell')
    .summary('open a terminal in a sandbox')
    .description(
      'Opens a terminal in a sandbox, or in a new one that is deleted with it. Ctrl-P Ctrl-Q leaves it running; --join comes back.',
    )
    .argument('[sandbox]', 'id of the sandbox')
    .argument('[command...]', 'instead of a shell, after --')
    .option('-t, --template <template>', 'opens a new sandbox of this template')
    .option('--lifetime <duration>', 'of a new sandbox; default 1h', parseDuration)
    .option('--keep', 'does not delete the new sandbox')
    .option('--join [process]', 'comes back to a terminal: this one, or the last')
    .action((sandbox, command, options) =>
      perform(async (context) => (await import('../actions/shell.ts')).shell(context, sandbox, command, options)),
    );
  examples(shell, 'drydock shell --template python', 'drydock shell sbx_…', 'drydock shell sbx_… --join');
}

/** Of commands that list. */
export function limitOption(command: Command): Command {
  return command.option('--limit <number>', 'how many to show', parseCount, 100);
}
