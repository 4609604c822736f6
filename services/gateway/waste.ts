import type { Socket } from 'node:net';
import { peerOf } from '#libs/grpc/public-server.ts';

/** Bytes that a connection may waste at once; a read brings 64 KiB, of which the use is seen only afterwards. */
const BURST_BYTES = 80 * 1024;
/** Each byte of use may have one beside it that frames it. */
const READ_PER_USED = 2;
const BYTES_PER_SECOND = 16 * 1024;
/** Bytes of an answer for each byte of acknowledgement that they bring. */
const WRITTEN_PER_BYTE = 16;
const CHECK_MS = 50;

export type Waste = Disposable & {
  /** Follows a connection until it closes. `waiting` are the bytes of bodies that were read and that nobody has taken yet. */
  watch(socket: Socket, waiting?: () => number): void;
  /** Counts the bytes of a body that waits to be taken, until disposed: its connection may be faster than who takes it. */
  reading(peer: string, waiting: () => number): Disposable;
  /** Bytes that a connection, `address:port`, sent were of use: part of a body, or the headers of a call. */
  used(peer: string, bytes: number): void;
};

type Account = {
  socket: Socket;
  waiting: (() => number)[];
  balance: number;
  read: number;
  written: number;
  at: number;
};

/**
 * Ends connections that send much and say little. Chunks and frames of one byte, or of none, cost more than a hundred times their
 * length to read, and while they are read every caller waits.
 */
export function createWaste(now: () => number = performance.now.bind(performance)): Waste {
  const accounts = new Map<string, Account>();
  const settle = (account: Account) => {
    const { socket } = account;
    const { bytesRead, bytesWritten } = socket;
    const at = now();
    account.balance +=
      ((at - account.at) / 1000) * BYTES_PER_SECOND +
      (bytesWritten - account.written) / WRITTEN_PER_BYTE -
      (bytesRead - account.read);
    account.balance = Math.min(account.balance, BURST_BYTES);
    account.read = bytesRead;
    account.written = bytesWritten;
    account.at = at;
    if (account.balance >= 0) return;
    const waiting = account.waiting.reduce((sum, bytes) => sum + bytes(), 0);
    if (account.balance + READ_PER_USED * waiting < 0) socket.destroy();
  };
  const timer = setInterval(() => accounts.forEach(settle), CHECK_MS);
  timer.unref();
  return {
    watch(socket, waiting = () => 0) {
      const peer = peerOf(socket);
      accounts.set(peer, { socket, waiting: [waiting], balance: BURST_BYTES, read: 0, written: 0, at: now() });
      socket.once('close', () => accounts.delete(peer));
    },
    reading(peer, waiting) {
      const account = accounts.get(peer);
      account?.waiting.push(waiting);
      return { [Symbol.dispose]: () => void account?.waiting.splice(account.waiting.indexOf(waiting), 1) };
    },
    used(peer, bytes) {
      const account = accounts.get(peer);
      if (!account) return;
      account.balance += READ_PER_USED * bytes;
      settle(account);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
