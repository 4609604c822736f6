import type { Command } from 'commander';
import type { Perform } from '../context.ts';
import { examples } from './examples.ts';

export function declareAgents(program: Command, perform: Perform): void {
  const mcp = program
    .command('mcp')
    .summary('tools for agents, by the Model Context Protocol')
    .description(
      'Serves tools for agents by the Model Context Protocol: run_code, create_sandbox, run_command, write_file, read_file, list_files, ' +
        'delete_sandbox. On standard input and output, with the key of the profile; or over HTTP, where the bearer of each request is ' +
        'its API key. Sandboxes of a session are deleted with it.',
    )
    .option('--http <[host:]port>', 'streamable HTTP at /mcp, on 127.0.0.1 unless a host is named')
    .action((options) => perform(async (context) => (await import('../actions/mcp.ts')).mcp(context, options)));
  examples(mcp, 'claude mcp add drydock -- drydock mcp', 'drydock mcp --http 8931');
}
