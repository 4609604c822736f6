import type { CallToolResult, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Sandbox } from '../../../sdk/typescript/src/index.ts';
import { Failure } from '../failures.ts';
import type { Session } from './session.ts';
import { answer, result } from './tool.ts';

/** Of a text in one answer. */
const MAX_TEXT_BYTES = 64 * 1024;
const MAX_IMAGE_BYTES = 4 * 1024 * 1024;
/** Of one call; larger files are copied by `drydock cp`. */
const MAX_WRITTEN_CHARACTERS = 4 * 1024 * 1024;
const MAX_ENTRIES = 200;

const IMAGES: readonly (readonly [mimeType: string, bytes: string])[] = [
  ['image/png', '89504e470d0a1a0a'],
  ['image/jpeg', 'ffd8ff'],
  ['image/gif', '47494638'],
];
const WHERE = { sandbox_id: z.string(), path: z.string().min(1).describe('absolute, or relative to the home') };

/** `write_file`, `read_file` and `list_files`. */
export function registerFileTools(server: McpServer, session: Session): void {
  registerWrite(server, session);
  registerRead(server, session);
  registerList(server, session);
}

function registerWrite(server: McpServer, session: Session): void {
  server.registerTool(
    'write_file',
    {
      title: 'Write a file',
      description: 'Writes a file of a sandbox, and makes its parents. One that exists is replaced.',
      inputSchema: z.object({
        ...WHERE,
        content: z.string().max(MAX_WRITTEN_CHARACTERS),
        encoding: z.enum(['utf-8', 'base64']).default('utf-8'),
        executable: z.boolean().default(false),
      }),
      outputSchema: z.object({ path: z.string(), size_bytes: z.number().int() }),
      annotations: { destructiveHint: true, idempotentHint: true, openWorldHint: false },
    },
    ({ sandbox_id: id, path, content, encoding, executable }, context) =>
      answer(context, async ({ signal }) => {
        const sandbox = await session.open(id, signal);
        const bytes = encoding === 'base64' ? fromBase64(content) : content;
        const written = await sandbox.files.write(path, bytes, { signal, ...(executable ? { mode: 0o755 } : {}) });
        return result(
          { path: written.path, size_bytes: written.sizeBytes },
          `wrote ${written.sizeBytes} bytes to ${written.path}`,
        );
      }),
  );
}

function fromBase64(text: string): Uint8Array {
  const plain = text.replace(/\s/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(plain))
    throw new Failure('content is not base64', 'Give text with the encoding utf-8.');
  return Buffer.from(plain, 'base64');
}

function registerRead(server: McpServer, session: Session): void {
  server.registerTool(
    'read_file',
    {
      title: 'Read a file',
      description: `Reads a file of a sandbox: text, to ${MAX_TEXT_BYTES / 1024} KiB at a time, or an image (PNG, JPEG, GIF, WebP).`,
      inputSchema: z.object({
        ...WHERE,
        offset_bytes: z
          .number()
          .int()
          .min(0)
          .default(0)
          .describe('where to begin; next_offset_bytes of the answer before'),
      }),
      outputSchema: z.object({
        text: z.string().optional(),
        mime_type: z.string(),
        size_bytes: z.number().int().describe('of what is returned'),
        next_offset_bytes: z.number().int().optional().describe('set where there is more'),
      }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ sandbox_id: id, path, offset_bytes: offset }, context) =>
      answer(context, async ({ signal }) => readFile(await session.open(id, signal), path, offset, signal)),
  );
}

async function readFile(sandbox: Sandbox, path: string, offset: number, signal: AbortSignal): Promise<CallToolResult> {
  // A byte more says whether there is more.
  const start = { format: 'bytes', signal, offsetBytes: offset, lengthBytes: MAX_TEXT_BYTES + 1 } as const;
  const bytes = await sandbox.files.read(path, start);
  const mimeType = offset === 0 ? imageType(bytes) : undefined;
  if (mimeType) return readImage(sandbox, path, mimeType, signal);
  const more = bytes.length > MAX_TEXT_BYTES;
  let text: string;
  try {
    // What is cut within a character begins the next answer.
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, MAX_TEXT_BYTES), {
      stream: more,
    });
  } catch (cause) {
    throw new Failure(`${path} is neither text nor an image`, 'Look at it by a command, such as xxd or file.', {
      cause,
    });
  }
  const size = Buffer.byteLength(text);
  const next = more ? { next_offset_bytes: offset + size } : {};
  const note = more ? `\n[more from byte ${offset + size}]` : '';
  return result({ text, mime_type: 'text/plain', size_bytes: size, ...next }, `${text}${note}`);
}

async function readImage(
  sandbox: Sandbox,
  path: string,
  mimeType: string,
  signal: AbortSignal,
): Promise<CallToolResult> {
  const bytes = await sandbox.files.read(path, { format: 'bytes', signal, lengthBytes: MAX_IMAGE_BYTES + 1 });
  if (bytes.length > MAX_IMAGE_BYTES)
    throw new Failure(`${path} is an image of more than 4 MiB`, 'Make it smaller in the sandbox first.');
  return {
    structuredContent: { mime_type: mimeType, size_bytes: bytes.length },
    content: [{ type: 'image', mimeType, data: Buffer.from(bytes).toString('base64') }],
  };
}

function imageType(bytes: Uint8Array): string | undefined {
  const start = Buffer.from(bytes.subarray(0, 12));
  if (start.toString('latin1', 0, 4) === 'RIFF' && start.toString('latin1', 8, 12) === 'WEBP') return 'image/webp';
  return IMAGES.find(([, magic]) => start.toString('hex').startsWith(magic))?.[0];
}

function registerList(server: McpServer, session: Session): void {
  server.registerTool(
    'list_files',
    {
      title: 'List files',
      description: `Lists a directory of a sandbox, to ${MAX_ENTRIES} entries.`,
      inputSchema: z.object({ sandbox_id: z.string(), path: z.string().default('.').describe('default: the home') }),
      outputSchema: z.object({
        entries: z.array(z.object({ name: z.string(), type: z.string(), size_bytes: z.number().int() })),
        truncated: z.boolean(),
      }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ sandbox_id: id, path }, context) =>
      answer(context, async ({ signal }) => {
        const sandbox = await session.open(id, signal);
        const found = await sandbox.files.list(path, { signal }).toArray({ limit: MAX_ENTRIES + 1 });
        const entries = found
          .slice(0, MAX_ENTRIES)
          .map(({ name, type, sizeBytes }) => ({ name, type, size_bytes: sizeBytes }));
        const truncated = found.length > MAX_ENTRIES;
        const lines = entries.map(
          (entry) => `${entry.type === 'directory' ? `${entry.name}/` : `${entry.name}  ${entry.size_bytes}`}`,
        );
        if (truncated) lines.push(`[more than ${MAX_ENTRIES}; list a part of it by run_command]`);
        return result({ entries, truncated }, lines.join('\n') || 'empty');
      }),
  );
}
