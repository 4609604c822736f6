import { Duplex } from 'node:stream';
import type { KubeConfig } from '@kubernetes/client-node';
import WebSocket from 'ws';

// Channels of the protocol, the first byte of each message.
const STDIN = Buffer.from([0]);
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;
const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
const HANDSHAKE_MS = 10_000;
const MAX_WHY_BYTES = 1024;

export type Command = { namespace: string; pod: string; container: string; command: string[] };

/**
 * Runs a command in a container and answers with its standard streams. The library's own `Exec` has no backpressure: it buffers
 * everything in memory for a slow reader. The stream ends with the command, and the command with the stream. Errors: the refusal of
 * the API server, and once open, the standard error of the command.
 */
export async function openExecStream(config: KubeConfig, command: Command): Promise<Duplex> {
  const options: WebSocket.ClientOptions = { handshakeTimeout: HANDSHAKE_MS, perMessageDeflate: false };
  await config.applyToHTTPSOptions(options);
  const server = config.getCurrentCluster()?.server.replace(/^http/, 'ws');
  const socket = new WebSocket(`${server}${pathOf(command)}`, PROTOCOLS, options);
  const stream = streamOf(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    stream.once('error', reject).once('close', () => reject(new Error('closed before it was open')));
  });
  return stream;
}

function streamOf(socket: WebSocket): Duplex {
  const send = (chunks: Buffer[], done: (error?: Error) => void) =>
    socket.send(Buffer.concat([STDIN, ...chunks]), done);
  let why = '';
  const stream = new Duplex({
    allowHalfOpen: false,
    read: () => socket.resume(),
    write: (chunk: Buffer, _, done) => send([chunk], done),
    writev(chunks, done) {
      const pieces = chunks.map(({ chunk }) => chunk as Buffer);
      send(pieces, done);
    },
    destroy(error, done) {
      socket.terminate();
      done(error);
    },
  });
  socket.on('message', (message: Buffer) => {
    const data = message.subarray(1);
    if (message[0] === STDOUT && data.length > 0 && !stream.push(data)) socket.pause();
    if (message[0] === STDERR || message[0] === STATUS) why = (why + data).slice(0, MAX_WHY_BYTES);
    if (message[0] === STATUS) socket.close();
  });
  socket.on('error', (error) => stream.destroy(error));
  socket.once('close', () => stream.destroy(why ? new Error(why) : undefined));
  return stream;
}

function pathOf({ namespace, pod, container, command }: Command): string {
  const query = new URLSearchParams({ container, stdin: 'true', stdout: 'true', stderr: 'true', tty: 'false' });
  for (const argument of command) query.append('command', argument);
  return `/api/v1/namespaces/${namespace}/pods/${pod}/exec?${query}`;
}
