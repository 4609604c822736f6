import { McpServer } from '@modelcontextprotocol/server';
import { VERSION } from '../../../sdk/typescript/src/version.ts';
import { registerFileTools } from './file-tools.ts';
import { registerRunCode, registerRunCommand } from './program-tools.ts';
import { registerSandboxTools } from './sandbox-tools.ts';
import type { Session } from './session.ts';

const INSTRUCTIONS =
  'Runs untrusted code in isolated sandboxes. Use run_code for one program; for files or several steps, create_sandbox, then write_file ' +
  'and run_command with its sandbox_id, and delete_sandbox at the end.';

/** The tools of one session. */
export function createServer(session: Session): McpServer {
  const server = new McpServer(
    { name: 'drydock', title: 'Drydock', version: VERSION },
    { capabilities: { tools: {} }, instructions: INSTRUCTIONS },
  );
  registerRunCode(server, session);
  registerSandboxTools(server, session);
  registerRunCommand(server, session);
  registerFileTools(server, session);
  return server;
}
