import { createClient } from '#libs/grpc/client.ts';
import { AuthServiceDefinition } from '#proto/drydock/v1/auth.ts';
import { type Execution, ExecutionServiceDefinition, RunCodeRequest } from '#proto/drydock/v1/execution.ts';
import { FileServiceDefinition, WriteFileRequest } from '#proto/drydock/v1/file.ts';
import {
  type ProcessExited,
  ProcessServiceDefinition,
  StartProcessRequest,
  type StartProcessResponse,
} from '#proto/drydock/v1/process.ts';
import type { Output } from '#proto/drydock/v1/resources.ts';
import { CreateSandboxRequest, type Sandbox, SandboxServiceDefinition } from '#proto/drydock/v1/sandbox.ts';
import { TemplateServiceDefinition } from '#proto/drydock/v1/template.ts';

export type Endpoints = { gatewayAddress: string; httpUrl: string };

export type Finished = {
  stdout: string;
  stderr: string;
  exited: ProcessExited;
};

/** The public API over gRPC with one credential, and what tests do with it most. */
export function connectGrpc({ gatewayAddress }: Endpoints, credential: string) {
  const options = { metadata: { authorization: `Bearer ${credential}` } };
  const clients = {
    auth: createClient(AuthServiceDefinition, gatewayAddress, options),
    sandboxes: createClient(SandboxServiceDefinition, gatewayAddress, options),
    processes: createClient(ProcessServiceDefinition, gatewayAddress, options),
    files: createClient(FileServiceDefinition, gatewayAddress, options),
    executions: createClient(ExecutionServiceDefinition, gatewayAddress, options),
    templates: createClient(TemplateServiceDefinition, gatewayAddress, options),
  };
  return {
    ...clients,
    async createSandbox(request: Partial<CreateSandboxRequest> = {}): Promise<Sandbox> {
      const { sandbox } = await clients.sandboxes.createSandbox(
        CreateSandboxRequest.create({ template: 'python', ...request }),
      );
      return sandbox!;
    },
    deleteSandbox: (sandboxId: string) => clients.sandboxes.deleteSandbox({ sandboxId, requestId: '' }),
    start: (sandboxId: string, command: string[], more: Partial<StartProcessRequest> = {}, signal?: AbortSignal) =>
      clients.processes.startProcess(
        StartProcessRequest.create({ sandboxId, command, ...more }),
        signal ? { signal } : {},
      ),
    /** Runs a command to its end. */
    async command(sandboxId: string, command: string[], more: Partial<StartProcessRequest> = {}): Promise<Finished> {
      return collect(clients.processes.startProcess(StartProcessRequest.create({ sandboxId, command, ...more })));
    },
    async runCode(request: Partial<RunCodeRequest>): Promise<Execution> {
      return (await clients.executions.runCode(RunCodeRequest.create(request))).execution!;
    },
    async writeFile(sandboxId: string, path: string, data: Uint8Array | string) {
      const bytes = Buffer.from(data as string);
      async function* messages() {
        yield WriteFileRequest.create({ sandboxId, path });
        for (let at = 0; at < bytes.length; at += 65_536)
          yield WriteFileRequest.create({
            data: bytes.subarray(at, at + 65_536),
          });
      }
      return (await clients.files.writeFile(messages())).file!;
    },
    async readFile(sandboxId: string, path: string): Promise<Buffer> {
      const pieces: Uint8Array[] = [];
      for await (const { data } of clients.files.readFile({
        sandboxId,
        path,
        offsetBytes: 0,
      }))
        pieces.push(data);
      return Buffer.concat(pieces);
    },
    [Symbol.dispose]() {
      for (const client of Object.values(clients)) client[Symbol.dispose]();
    },
  };
}

/** Output and exit of a process. */
export async function collect(events: AsyncIterable<StartProcessResponse>): Promise<Finished> {
  const output = { stdout: '', stderr: '' };
  let exited: ProcessExited | undefined;
  for await (const { event } of events) {
    if (event?.$case === 'stdout' || event?.$case === 'stderr') output[event.$case] += textOf(event.value);
    if (event?.$case === 'exited') exited = event.value;
  }
  if (!exited) throw new Error('the stream ended without an exit');
  return { ...output, exited };
}

/** Leaves a call once its process runs. */
export async function startedId(events: AsyncIterable<StartProcessResponse>): Promise<string> {
  for await (const { event } of events) if (event?.$case === 'started') return event.value.processId;
  throw new Error('it did not start');
}

export function textOf({ content }: Output): string {
  return content?.$case === 'text' ? content.value : Buffer.from(content?.value ?? []).toString('latin1');
}

export type HttpAnswer = {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: JSON of any shape
  body: any;
};

/** The public API over HTTP with one credential; JSON in and out. */
export function connectHttp({ httpUrl }: Endpoints, credential: string) {
  const authorization = `Bearer ${credential}`;
  return async (method: string, path: string, body?: unknown): Promise<HttpAnswer> => {
    const response = await fetch(`${httpUrl}${path}`, {
      method,
      headers: {
        authorization,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json');
    return {
      status: response.status,
      headers: response.headers,
      body: isJson ? JSON.parse(text) : text,
    };
  };
}
