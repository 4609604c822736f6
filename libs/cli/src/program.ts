import { Command, Option } from 'commander';
import { VERSION } from '../../sdk/typescript/src/version.ts';
import { declareAdministration } from './commands/administration.ts';
import { declareAgents } from './commands/agents.ts';
import { declareFiles } from './commands/files.ts';
import { declarePrograms } from './commands/programs.ts';
import { declareQueue } from './commands/queue.ts';
import { declareSandboxes } from './commands/sandboxes.ts';
import { declareComplete, declareCompletion, declareSetup } from './commands/setup.ts';
import type { Perform } from './context.ts';
import { FORMATS } from './output.ts';

const EXIT_CODES = `
Exit codes:
  0    done
  1    a verdict is not ACCEPTED, or a check of 'doctor' failed
  2    the command line is wrong
  124  a time limit ended the program
  125  Drydock could not do it; standard error says why
  126  the program did not compile
  127  the sandbox has no such command
  128+ a signal ended the program, or this command: 130 for Ctrl-C
  run, exec and shell exit with the program's own code.

Environment:
  DRYDOCK_URL, DRYDOCK_API_KEY  address and key
  DRYDOCK_PROFILE               of ~/.config/drydock/config.toml, as 'drydock login' writes it
  NO_COLOR                      no colours`;

/** The command line: every command with its options. What a command does is loaded when it is called. */
export async function createProgram(perform: Perform, { completes = false } = {}): Promise<Command> {
  const program = new Command('drydock')
    .description('Run untrusted code on Drydock: programs to a verdict, queues of them, and live sandboxes.')
    .option('--url <url>', 'address of the platform, such as https://drydock.example.com')
    .option('--profile <name>', 'profile of the configuration, as login wrote it')
    .addOption(
      new Option('-o, --output <format>', 'default: table on a terminal, json elsewhere').choices([...FORMATS]),
    )
    .version(VERSION, '-V, --version')
    .showSuggestionAfterError()
    .showHelpAfterError(`'--help' shows how it is used.`)
    .exitOverride()
    .configureHelp({ showGlobalOptions: false })
    .addHelpText('after', EXIT_CODES);
  declarePrograms(program, perform);
  declareSandboxes(program, perform);
  declareFiles(program, perform);
  declareQueue(program, perform);
  declareAdministration(program, perform);
  declareAgents(program, perform);
  declareSetup(program, perform);
  if (completes) await declareComplete(program);
  else declareCompletion(program, perform);
  return program;
}
