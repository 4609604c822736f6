import type { Command } from 'commander';
import type { Perform } from '../context.ts';
import { examples } from './examples.ts';

export function declareFiles(program: Command, perform: Perform): void {
  const cp = program
    .command('cp')
    .summary('copy files into a sandbox, or out of it')
    .description(
      'Copies a file, or a directory with all in it. One of the two is in a sandbox: ID:PATH, where a path is absolute or relative ' +
        'to the home. Symbolic links are left out. A - is standard input or output.',
    )
    .argument('<from>', 'what is copied')
    .argument('<to>', 'where to; a directory that exists, or a path that ends in /, gets it inside')
    .action((from, to) => perform(async (context) => (await import('../actions/cp.ts')).cp(context, from, to)));
  examples(
    cp,
    'drydock cp src sbx_…:',
    'drydock cp sbx_…:out/result.csv .',
    'tar c . | drydock cp - sbx_…:/tmp/all.tar',
  );

  const sync = program
    .command('sync')
    .summary('bring a directory of a sandbox up to date')
    .description('Uploads the files of a directory that differ from those in the sandbox, by size or SHA-256.')
    .argument('<from>', 'a local directory')
    .argument('<to>', 'ID:DIRECTORY')
    .option('--delete', 'deletes files of the sandbox that are not there locally')
    .option(
      '--exclude <glob>',
      'leaves out; may be repeated; default: .git and node_modules',
      (glob: string, before?: string[]) => [...(before ?? []), glob],
    )
    .option('--watch', 'goes on whenever something changes')
    .action((from, to, options) =>
      perform(async (context) => (await import('../actions/sync.ts')).sync(context, from, to, options)),
    );
  examples(sync, 'drydock sync . sbx_…:project --watch', 'drydock sync dist sbx_…:www --delete');
}
