import { Argument, type Command } from 'commander';
import type { Perform } from '../context.ts';
import { examples } from './examples.ts';
import { limitOption } from './programs.ts';

export function declareSetup(program: Command, perform: Perform): void {
  const catalog = () => import('../actions/catalog.ts');
  const languages = program.command('languages').description('languages of programs');
  limitOption(languages.command('list').description('Lists languages, and the ending by which run knows each.')).action(
    (options) => perform(async (context) => (await catalog()).languages(context, options)),
  );
  const templates = program.command('templates').description('templates of sandboxes');
  limitOption(templates.command('list').description('Lists templates.')).action((options) =>
    perform(async (context) => (await catalog()).templates(context, options)),
  );
  const login = program
    .command('login')
    .summary('store address and key')
    .description(
      'Asks for an API key, tries it, and stores it with the address as a profile of ~/.config/drydock/config.toml, which its owner ' +
        'alone can read. Without a terminal, the key is the first line of standard input.',
    )
    .action(() => perform(async (context) => (await import('../actions/login.ts')).login(context)));
  examples(
    login,
    'drydock login --url https://drydock.example.com',
    'drydock login --profile ci < key-file',
    'drydock --profile ci sandbox list',
  );
  program
    .command('doctor')
    .description('Checks address, key, clock and version, and says how to mend what is wrong.')
    .action(() => perform(async (context) => (await import('../actions/doctor.ts')).doctor(context)));
  program
    .command('version')
    .description('Shows the versions of drydock, Node and the system.')
    .action(() => perform(async (context) => (await import('../actions/version.ts')).version(context)));
}

/** `completion SHELL`, whose scripts call `drydock complete -- WORDS`. */
export function declareCompletion(program: Command, perform: Perform): void {
  const completion = program
    .command('completion')
    .summary('print a script by which a shell completes commands')
    .description('Prints a script by which a shell completes commands, options and their values.')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action((shell) =>
      perform(async (context) => (await import('../actions/completion.ts')).completion(context, shell)),
    );
  examples(
    completion,
    'drydock completion bash > ~/.local/share/bash-completion/completions/drydock',
    'drydock completion zsh > ~/.zfunc/_drydock',
    'drydock completion fish > ~/.config/fish/completions/drydock.fish',
  );
}

/** `complete -- WORDS` answers a shell with what the last of the words may become. */
export async function declareComplete(program: Command): Promise<void> {
  const { default: tab } = await import('@bomb.sh/tab/commander');
  shorten(program);
  tab(program, { completionCommandName: 'completion' });
}

/** A shell shows a description beside each word. */
function shorten(program: Command): void {
  for (const command of program.commands) {
    if (command.summary()) command.description(command.summary());
    shorten(command);
  }
}
