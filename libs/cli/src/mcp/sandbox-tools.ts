import type { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Duration } from '../../../sdk/typescript/src/index.ts';
import type { Session } from './session.ts';
import { answer, result } from './tool.ts';

const MAX_LIFETIME_SECONDS = 24 * 60 * 60;
const DEFAULT_LIFETIME_SECONDS = 30 * 60;

/** `create_sandbox` and `delete_sandbox`. */
export function registerSandboxTools(server: McpServer, session: Session): void {
  server.registerTool(
    'create_sandbox',
    {
      title: 'Create a sandbox',
      description:
        'Makes an isolated Linux sandbox without network, in which files and commands of several steps work together. It is deleted ' +
        'when the session ends, or after its lifetime.',
      inputSchema: z.object({
        template: z.string().default('python').describe('such as python, node, cpp'),
        lifetime_seconds: z.number().int().min(1).max(MAX_LIFETIME_SECONDS).default(DEFAULT_LIFETIME_SECONDS),
      }),
      outputSchema: z.object({ sandbox_id: z.string(), template: z.string(), expire_time: z.string() }),
      annotations: { destructiveHint: false, openWorldHint: false },
    },
    ({ template, lifetime_seconds: lifetime }, context) =>
      answer(context, async ({ signal }) => {
        const { id, info } = await session.create(template, `${lifetime}s` as Duration, signal);
        const data = { sandbox_id: id, template: info.template, expire_time: info.expireTime?.toISOString() ?? '' };
        return result(data, `sandbox ${id} of ${info.template}, until ${data.expire_time}`);
      }),
  );
  server.registerTool(
    'delete_sandbox',
    {
      title: 'Delete a sandbox',
      description: 'Deletes a sandbox with everything in it.',
      inputSchema: z.object({ sandbox_id: z.string() }),
      outputSchema: z.object({ existed: z.boolean() }),
      annotations: { destructiveHint: true, idempotentHint: true, openWorldHint: false },
    },
    ({ sandbox_id: id }, context) =>
      answer(context, async ({ signal }) => {
        const existed = await session.delete(id, signal);
        return result({ existed }, existed ? `${id} is deleted` : `there is no sandbox ${id}`);
      }),
  );
}
