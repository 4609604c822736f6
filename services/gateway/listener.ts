import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { PublicServer } from '#libs/grpc/public-server.ts';
import { splitAddress } from '#libs/telemetry.ts';
import type { TlsFront } from './tls.ts';
import type { Waste } from './waste.ts';

/** What every HTTP/2 connection of a client begins with. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const FIRST_BYTES_MS = 10_000;
const MAX_CONNECTIONS = 10_000;

/** What connections are given to. With `tls`, only those that it has secured. */
export type Given = { grpc: Pick<PublicServer, 'inject' | 'waiting'>; waste: Waste; tls?: TlsFront | undefined };

/** Accepts connections for gRPC alone, 10,000 at most, until disposed; those that do not begin as HTTP/2 does are closed. */
export async function listen(address: string, given: Given): Promise<{ port: number } & AsyncDisposable> {
  const sniffer = createSniffer(given, (socket) => socket.destroy());
  const server = createServer(sniffer.sniff);
  server.maxConnections = MAX_CONNECTIONS;
  const [host, port] = splitAddress(address);
  server.listen(port, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    // Those that were injected are the gRPC server's to end.
    async [Symbol.asyncDispose]() {
      server.close();
      sniffer[Symbol.dispose]();
    },
  };
}

/** Hands the connections of an HTTP server that speak HTTP/2 to gRPC. Disposing ends those that have sent nothing yet. */
export function shareWithHttp2(server: HttpServer, given: Given): Disposable {
  const [serve] = server.listeners('connection') as ((socket: Socket) => void)[];
  server.removeListener('connection', serve!);
  const sniffer = createSniffer(given, (socket) => serve!.call(server, socket));
  server.on('connection', sniffer.sniff);
  return sniffer;
}

type Sniffer = { sniff(socket: Socket): void } & Disposable;

/** Looks at the first bytes of connections, and puts them back. A connection that sends none for 10 s is closed. */
function createSniffer({ grpc, waste, tls }: Given, other: (socket: Socket) => void): Sniffer {
  const undecided = new Set<Socket>();
  const sniff = (socket: Socket) => {
    waste.watch(socket, () => grpc.waiting(socket));
    const pieces: Buffer[] = [];
    const timer = setTimeout(() => socket.destroy(), FIRST_BYTES_MS);
    const onError = () => {};
    const look = () => {
      const piece: Buffer | null = socket.read();
      if (piece) pieces.push(piece);
      const bytes = Buffer.concat(pieces);
      const length = Math.min(bytes.length, PREFACE.length);
      const isPreface = bytes.subarray(0, length).equals(PREFACE.subarray(0, length));
      if (isPreface && length < PREFACE.length && !socket.readableEnded) return;
      clearTimeout(timer);
      undecided.delete(socket);
      socket.off('readable', look).off('end', look).off('error', onError);
      socket.unshift(bytes);
      (isPreface ? grpc.inject : other)(socket);
    };
    keepUntilDecided(socket);
    socket.on('error', onError).on('readable', look).on('end', look);
    socket.once('close', () => clearTimeout(timer));
  };
  const keepUntilDecided = (socket: Socket) => {
    undecided.add(socket);
    socket.once('close', () => undecided.delete(socket));
  };
  return {
    sniff(socket) {
      if (!tls) return sniff(socket);
      keepUntilDecided(socket);
      tls.accept(socket, (secure) => {
        undecided.delete(socket);
        sniff(secure);
      });
    },
    [Symbol.dispose]() {
      for (const socket of undecided) socket.destroy();
    },
  };
}
