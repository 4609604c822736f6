import { mkdir, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { SpanKind, trace } from '@opentelemetry/api';
import type { Metadata } from 'nice-grpc-common';
import { createClient } from '#libs/grpc/client.ts';
import type { Client } from '#libs/grpc/rpc.ts';
import {
  CellServiceDefinition,
  ControlServiceDefinition,
  FilesystemServiceDefinition,
  ProcessServiceDefinition,
} from '#proto/drydock/agent/v1/agent.ts';

// The largest answers are a thousand entries of a directory, and of the process table.
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

/** A connection to one agent, for as long as its instance lives. */
export type AgentLink = {
  control: Client<ControlServiceDefinition>;
  processes: Client<ProcessServiceDefinition>;
  files: Client<FilesystemServiceDefinition>;
  cells: Client<CellServiceDefinition>;
  /** Resolves when the agent has dialled for the first time. */
  connected: Promise<void>;
};

const tracer = trace.getTracer('drydock');

export function linkDirectory(dataDirectory: string, instanceId: string): string {
  return join(dataDirectory, 'links', instanceId);
}

/**
 * Listens for an agent, which dials out of its sandbox, and for our own client, and pipes the two together: grpc-js takes
 * an address and not a stream. A pair lives and dies together; the agent dials again, also after this process was replaced.
 */
export async function openLink(dataDirectory: string, instanceId: string): Promise<AgentLink & AsyncDisposable> {
  const directory = linkDirectory(dataDirectory, instanceId);
  const bridges = join(dataDirectory, 'bridges');
  const bridge = join(bridges, instanceId);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await mkdir(bridges, { recursive: true, mode: 0o700 });

  const connected = Promise.withResolvers<void>();
  const pair = pairing(() => connected.resolve());
  const agentServer = await listen(join(directory, 'agent.sock'), pair.agent);
  const bridgeServer = await listen(bridge, pair.client);

  const address = `unix://${bridge}`;
  // The agent's own messages say where a stream is complete.
  const options = { onTrailer: recordAgentSpan, maxMessageBytes: MAX_MESSAGE_BYTES, marksEnd: false };
  const control = createClient(ControlServiceDefinition, address, options);
  const processes = createClient(ProcessServiceDefinition, address, options);
  const files = createClient(FilesystemServiceDefinition, address, options);
  const cells = createClient(CellServiceDefinition, address, options);
  return {
    control,
    processes,
    files,
    cells,
    connected: connected.promise,
    async [Symbol.asyncDispose]() {
      for (const client of [control, processes, files, cells]) client[Symbol.dispose]();
      pair.close();
      await Promise.all([agentServer, bridgeServer].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

/** Removes what a link leaves on the disk. Only after its instance is gone: the directory is mounted there. */
export async function removeLink(dataDirectory: string, instanceId: string): Promise<void> {
  await rm(linkDirectory(dataDirectory, instanceId), { recursive: true, force: true });
  await rm(join(dataDirectory, 'bridges', instanceId), { force: true });
}

async function listen(path: string, onSocket: (socket: Socket) => void): Promise<Server> {
  await rm(path, { force: true });
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: false }, onSocket);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return server;
}

/** Joins each side's newest socket with the other's. */
function pairing(onAgent: () => void) {
  const waiting: { agent?: Socket; client?: Socket } = {};
  const open = new Set<Socket>();
  let closed = false;
  const arrive = (side: 'agent' | 'client') => (socket: Socket) => {
    if (closed) return void socket.destroy();
    open.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => {
      open.delete(socket);
      if (waiting[side] === socket) delete waiting[side];
    });
    waiting[side]?.destroy();
    waiting[side] = socket;
    if (side === 'agent') onAgent();
    const { agent, client } = waiting;
    if (!agent || !client) return;
    delete waiting.agent;
    delete waiting.client;
    agent.once('close', () => client.destroy());
    client.once('close', () => agent.destroy());
    agent.pipe(client);
    client.pipe(agent);
  };
  return {
    agent: arrive('agent'),
    client: arrive('client'),
    close() {
      closed = true;
      for (const socket of open) socket.destroy();
    },
  };
}

/** The agent has no network to export traces over: it says when it began and ended, and its span is drawn here. */
function recordAgentSpan(method: string, trailer: Metadata): void {
  const [start, end] = ['start', 'end'].map((name) => trailer.get(`drydock-agent-${name}-unix-nanos`));
  if (!start || !end) return;
  const span = tracer.startSpan(`agent/${method}`, { kind: SpanKind.SERVER, startTime: toTime(start) });
  span.end(toTime(end));
}

function toTime(nanos: unknown): [seconds: number, nanos: number] {
  const value = BigInt(/^\d{1,19}$/.exec(String(nanos))?.[0] ?? 0);
  return [Number(value / 1_000_000_000n), Number(value % 1_000_000_000n)];
}
