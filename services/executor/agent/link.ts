import { rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { SpanKind, trace } from '@opentelemetry/api';
import type { Metadata } from 'nice-grpc-common';
import type { Client } from '#libs/grpc/rpc.ts';
import { isTraced } from '#libs/telemetry.ts';
import {
  CellServiceDefinition,
  ControlServiceDefinition,
  FilesystemServiceDefinition,
  ProcessServiceDefinition,
  TunnelServiceDefinition,
} from '#proto/drydock/agent/v1/agent.ts';
import type { Backend } from '../backends/backend.ts';
import { listen } from '../backends/unix-socket.ts';
import { createAgentClient, type Kinds } from './client.ts';
import { limitStreams, type StreamLimits } from './stream-limits.ts';

// The largest responses are 1,000 entries of a directory, and the process table.
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;
// A round trip to a pod takes milliseconds: the default window of 64 KiB would allow 10 MB/s. The agent buffers as much.
const WINDOW_BYTES = 256 * 1024;

const PROCESS_KINDS: Kinds<ProcessServiceDefinition> = {
  start: 'processes',
  connect: 'processes',
  // Blocks while the program does not read.
  writeInput: 'inputs',
};

const FILE_KINDS: Kinds<FilesystemServiceDefinition> = {
  read: 'files',
  write: 'files',
  stat: 'files',
  listDirectory: 'files',
  makeDirectory: 'files',
  move: 'files',
  remove: 'files',
  watch: 'watches',
};

/** The connection to one agent, for the life of its instance. */
export type AgentLink = {
  control: Client<ControlServiceDefinition>;
  processes: Client<ProcessServiceDefinition>;
  files: Client<FilesystemServiceDefinition>;
  cells: Client<CellServiceDefinition>;
  tunnels: Client<TunnelServiceDefinition>;
  /** Resolves when the agent has connected for the first time. */
  connected: Promise<void>;
};

const tracer = trace.getTracer('drydock');

/**
 * Bridges the streams to an agent to a socket that a gRPC client dials: grpc-js takes an address, not a stream. If one side closes,
 * so does the other, and both connect again.
 */
export async function openLink(
  dataDirectory: string,
  instanceId: string,
  backend: Pick<Backend, 'link'>,
  limits: StreamLimits,
): Promise<AgentLink & AsyncDisposable> {
  const bridges = bridgesOf(dataDirectory);
  const bridge = join(bridges, instanceId);
  await mkdir(bridges, { recursive: true, mode: 0o700 });

  const connected = Promise.withResolvers<void>();
  const pair = pairing(() => connected.resolve());
  const agentStreams = await backend.link(instanceId, pair.agent);
  const bridgeServer = await listen(bridge, pair.client);

  const address = `unix://${bridge}`;
  // The agent marks the end of a stream in its own messages.
  const options = {
    ...(isTraced(process.env) ? { onTrailer: recordAgentSpan } : {}),
    maxMessageBytes: MAX_MESSAGE_BYTES,
    windowBytes: WINDOW_BYTES,
    marksEnd: false,
    countStream: limitStreams(limits),
  };
  const control = createAgentClient(ControlServiceDefinition, address, { ...options, kinds: {} });
  const processes = createAgentClient(ProcessServiceDefinition, address, { ...options, kinds: PROCESS_KINDS });
  const files = createAgentClient(FilesystemServiceDefinition, address, { ...options, kinds: FILE_KINDS });
  // An agent has one cell at a time.
  const cells = createAgentClient(CellServiceDefinition, address, { ...options, kinds: {} });
  const tunnels = createAgentClient(TunnelServiceDefinition, address, { ...options, kinds: { open: 'tunnels' } });
  return {
    control,
    processes,
    files,
    cells,
    tunnels,
    connected: connected.promise,
    async [Symbol.asyncDispose]() {
      for (const client of [control, processes, files, cells, tunnels]) client[Symbol.dispose]();
      pair.close();
      await Promise.all([agentStreams[Symbol.asyncDispose](), bridgeServer[Symbol.asyncDispose]()]);
    },
  };
}

/** Removes the sockets of an earlier process that was killed. Call it before the first link is opened. */
export function removeStaleLinks(dataDirectory: string): void {
  rmSync(bridgesOf(dataDirectory), { recursive: true, force: true });
}

const bridgesOf = (dataDirectory: string) => join(dataDirectory, 'bridges');

/** Pipes the newest stream of each side to the other's. */
function pairing(onAgent: () => void) {
  const waiting: { agent?: Duplex; client?: Duplex } = {};
  const open = new Set<Duplex>();
  let closed = false;
  const arrive = (side: 'agent' | 'client') => (stream: Duplex) => {
    if (closed) return void stream.destroy();
    open.add(stream);
    stream.on('error', () => {});
    stream.once('close', () => {
      open.delete(stream);
      if (waiting[side] === stream) delete waiting[side];
    });
    waiting[side]?.destroy();
    waiting[side] = stream;
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
      for (const stream of open) stream.destroy();
    },
  };
}

/** Creates the agent's span from the times in its trailer: the agent has no network to export traces over. */
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
