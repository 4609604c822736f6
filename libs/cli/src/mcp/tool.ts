import type { CallToolResult, ServerContext } from '@modelcontextprotocol/server';
import { describe } from '../describe.ts';

/** A client that shows progress needs no more of it. */
const PROGRESS_MS = 500;

export type Call = {
  /** Aborted when the client cancels the call, or goes. */
  signal: AbortSignal;
  /** Says how far it is, at most twice a second, where the client asked to hear of it. */
  progress(done: number, message: string): void;
};

/**
 * Runs a tool. What the platform refuses, and what a program does, is a result that the model can act on; only a client that has
 * cancelled gets an error.
 */
export async function answer(
  context: ServerContext,
  tool: (call: Call) => Promise<CallToolResult>,
): Promise<CallToolResult> {
  const { signal, notify, _meta } = context.mcpReq;
  const progressToken = _meta?.progressToken;
  let [last, highest] = [Number.NEGATIVE_INFINITY, 0];
  const progress = (done: number, message: string) => {
    const now = performance.now();
    // It only ever grows.
    if (progressToken === undefined || now - last < PROGRESS_MS || (done <= highest && highest > 0)) return;
    [last, highest] = [now, done];
    notify({ method: 'notifications/progress', params: { progressToken, progress: done, message } }).catch(() => {
      // The client has left, which ends the call by its signal.
    });
  };
  try {
    return await tool({ signal, progress });
  } catch (error) {
    signal.throwIfAborted();
    const text = describe(error)
      .lines.join('\n')
      .replace(/^drydock: /, '');
    return { isError: true, content: [{ type: 'text', text }] };
  }
}

/** A result as data, and as the text that a model reads. */
export function result(structuredContent: Record<string, unknown>, text: string): CallToolResult {
  return { structuredContent, content: [{ type: 'text', text }] };
}

/** What a program wrote and how it ended, for a model to read. */
export function outputText({ stdout, stderr, ended }: { stdout: string; stderr: string; ended: string }): string {
  const parts = [stdout.trimEnd(), stderr.trim() ? `stderr:\n${stderr.trimEnd()}` : '', ended];
  return parts.filter(Boolean).join('\n');
}
