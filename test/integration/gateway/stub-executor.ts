import pino from 'pino';
import { DrydockError } from '#libs/errors.ts';
import { connectEvents } from '#libs/events.ts';
import { ANNOUNCED_SUBJECT } from '#libs/executor-directory.ts';
import { callerOf, service, startServer } from '#libs/grpc/server.ts';
import { every } from '#libs/lifecycle.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { ExecutorAnnounced } from '#proto/drydock/internal/v1/events.ts';
import { ExecutorServiceDefinition, RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import { FileInfo, FileServiceDefinition } from '#proto/drydock/v1/file.ts';
import { ProcessServiceDefinition } from '#proto/drydock/v1/process.ts';

const log = pino({ level: 'silent' });
const PIECE = Buffer.alloc(65_536, 'x');

export type StubExecutor = Awaited<ReturnType<typeof startStubExecutor>>;

/** An executor without an engine: files are in a map, and what a program does is in its name. */
export async function startStubExecutor(natsUrl: string) {
  const held = new Set<string>();
  const files = new Map<string, Buffer>();
  const seen = { callers: [] as Caller[], aborted: 0, pieces: 0, uploads: 0, brokenUploads: 0 };

  const check = (sandboxId: string, caller: Caller) => {
    seen.callers.push(caller);
    if (!held.has(sandboxId)) throw new DrydockError('SANDBOX_NOT_FOUND', 'no such sandbox');
  };
  const describe = (path: string) =>
    FileInfo.create({ name: path.split('/').at(-1)!, path, type: 'FILE', sizeBytes: files.get(path)?.length ?? 0 });
  const found = (path: string) => {
    const data = files.get(path);
    if (!data) throw new DrydockError('FILE_NOT_FOUND', 'no such file');
    return data;
  };

  const services = [
    service(ExecutorServiceDefinition, {
      async claimSandbox({ spec }) {
        held.add(spec!.sandboxId);
        return { warm: true };
      },
      confirmSandbox: async () => ({}),
      extendSandbox: async () => ({}),
      async destroySandbox({ sandboxId }) {
        held.delete(sandboxId);
        return {};
      },
      async *runExecution() {
        yield RunExecutionResponse.fromPartial({ event: { $case: 'runStarted', value: {} } });
        const execution = { state: 'FINISHED', verdict: 'ACCEPTED', exitCode: 0, stdout: '1\n' } as const;
        yield RunExecutionResponse.fromPartial({
          event: { $case: 'result', value: { execution, stdout: Buffer.from('1\n') } },
        });
      },
    }),
    service(ProcessServiceDefinition, {
      async *startProcess({ sandboxId, command }, call) {
        check(sandboxId, callerOf(call));
        yield { event: { $case: 'started', value: { processId: 'prc_1', pid: 7 } } };
        if (command[0] === 'sleep' || command[0] === 'flood')
          try {
            for (let offset = 0; command[0] === 'flood' && !call.signal.aborted; offset += PIECE.length) {
              seen.pieces++;
              yield {
                event: { $case: 'stdout', value: { offset, content: { $case: 'text', value: PIECE.toString() } } },
              };
            }
            await new Promise((_, reject) => {
              if (call.signal.aborted) reject(call.signal.reason);
              call.signal.addEventListener('abort', () => reject(call.signal.reason));
            });
          } finally {
            seen.aborted++;
          }
        if (command[0] === 'crash') throw new DrydockError('SANDBOX_STOPPED', 'the sandbox stopped');
        yield {
          event: {
            $case: 'stdout',
            value: { offset: 0, content: { $case: 'text', value: `${command.slice(1).join(' ')}\n` } },
          },
        };
        yield {
          event: { $case: 'exited', value: { exitCode: 0, signal: '', usage: undefined, outputStillOpen: false } },
        };
      },
      async listProcesses({ sandboxId }, call) {
        check(sandboxId, callerOf(call));
        return { processes: [] };
      },
    }),
    service(FileServiceDefinition, {
      async *readFile({ sandboxId, path }, call) {
        check(sandboxId, callerOf(call));
        if (path === 'flood') for (; !call.signal.aborted; seen.pieces++) yield { data: PIECE };
        const data = found(path);
        for (let at = 0; at < data.length; at += 65_536) yield { data: data.subarray(at, at + 65_536) };
        if (path === 'broken') throw new DrydockError('SANDBOX_STOPPED', 'the sandbox stopped');
      },
      async writeFile(requests, call) {
        const pieces: Uint8Array[] = [];
        let path = '';
        try {
          for await (const { sandboxId, path: named, data } of requests) {
            if (!path) {
              path = named;
              check(sandboxId, callerOf(call));
            }
            if (data.length > 65_536) throw new DrydockError('INTERNAL', 'a piece is too large');
            if (data.length > 0) seen.uploads++;
            if (path === 'slow') await new Promise((resolve) => setTimeout(resolve, 200));
            pieces.push(data);
          }
        } catch (error) {
          seen.brokenUploads++;
          throw error;
        }
        files.set(path, Buffer.concat(pieces));
        return { file: describe(path) };
      },
      async statFile({ sandboxId, path }, call) {
        check(sandboxId, callerOf(call));
        found(path);
        return { file: describe(path) };
      },
      async listFiles({ sandboxId, path }, call) {
        check(sandboxId, callerOf(call));
        return { files: [...files.keys()].filter((name) => name.startsWith(path)).map(describe), nextPageToken: '' };
      },
      async makeDirectory({ sandboxId, path }, call) {
        check(sandboxId, callerOf(call));
        return { file: describe(path) };
      },
      async moveFile({ sandboxId, path, destination }, call) {
        check(sandboxId, callerOf(call));
        files.set(destination, found(path));
        files.delete(path);
        return { file: describe(destination) };
      },
      async removeFile({ sandboxId, path }, call) {
        check(sandboxId, callerOf(call));
        found(path);
        files.delete(path);
        return {};
      },
    }),
  ];

  const events = connectEvents({ url: natsUrl, name: 'stub-executor', log });
  const server = await startServer({ address: '127.0.0.1:0', services, log });
  const announce = every(200, log, async () => {
    const announced = ExecutorAnnounced.fromPartial({
      executorId: 'stub',
      address: `127.0.0.1:${server.port}`,
      capacity: 1000,
      sandboxes: held.size,
      memoryBytes: 2 ** 40,
      freeMemoryBytes: 2 ** 40,
      warm: { python: 1, polyglot: 1 },
    });
    events.publish(ANNOUNCED_SUBJECT, ExecutorAnnounced.encode(announced).finish());
  });
  return {
    seen,
    files,
    /** Ends a sandbox without telling anybody. */
    lose: (sandboxId: string) => held.delete(sandboxId),
    async [Symbol.asyncDispose]() {
      await announce[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await events[Symbol.asyncDispose]();
    },
  };
}
