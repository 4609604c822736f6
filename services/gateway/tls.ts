import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { createSecureContext, createServer, type TLSSocket } from 'node:tls';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';

const HANDSHAKE_MS = 10_000;
const CHECK_MS = 30_000;

/** Where the gateway's own certificate, with its chain, and its key are; both PEM. */
export type TlsOptions = { certificateFile: string; keyFile: string };

export type TlsFront = AsyncDisposable & {
  /** Hands over a connection once its handshake is done. One that does not finish it within 10 s is closed. */
  accept(socket: Socket, onSecure: (socket: TLSSocket) => void): void;
};

/**
 * Ends TLS with a certificate that may be renewed while it is used: the files are looked at every 30 s, and new ones hold for
 * new connections. Files that do not fit each other are logged, and the ones before stay. Throws where the first do not fit.
 */
export async function openTlsFront(files: TlsOptions, log: Logger, checkMs = CHECK_MS): Promise<TlsFront> {
  let current = await readPair(files);
  const handlers = new WeakMap<Socket, (socket: TLSSocket) => void>();
  const server = createServer({ ...current, ALPNProtocols: ['h2', 'http/1.1'], handshakeTimeout: HANDSHAKE_MS });
  server.on('secureConnection', (socket) => handlers.get(rawOf(socket))?.(socket));
  server.on('tlsClientError', (err, socket) => {
    log.debug({ err }, 'handshake failed');
    socket.destroy();
  });
  const renewal = every(checkMs, log, async () => {
    const pair = await readPair(files);
    if (pair.cert === current.cert && pair.key === current.key) return;
    server.setSecureContext(pair);
    current = pair;
    log.info({ until: new X509Certificate(pair.cert).validTo }, 'certificate renewed');
  });
  return {
    accept(socket, onSecure) {
      handlers.set(socket, onSecure);
      server.emit('connection', socket);
    },
    [Symbol.asyncDispose]: () => renewal[Symbol.asyncDispose](),
  };
}

/** The connection below a secure one. */
function rawOf(socket: TLSSocket): Socket {
  return (socket as unknown as { _parent: Socket })._parent;
}

async function readPair({ certificateFile, keyFile }: TlsOptions): Promise<{ cert: string; key: string }> {
  const [cert, key] = await Promise.all([readFile(certificateFile, 'utf8'), readFile(keyFile, 'utf8')]);
  createSecureContext({ cert, key });
  return { cert, key };
}
