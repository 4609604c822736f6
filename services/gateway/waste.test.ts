import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createWaste } from './waste.ts';

const KiB = 1024;

/** A connection by its counters, a second of whose time passes when told. */
function connection() {
  const socket = Object.assign(new EventEmitter(), {
    remoteAddress: '10.0.0.1',
    remotePort: 1,
    bytesRead: 0,
    bytesWritten: 0,
    destroyed: false,
    destroy() {
      socket.destroyed = true;
      socket.emit('close');
    },
  });
  let seconds = 0;
  let waiting = 0;
  const waste = createWaste(() => seconds * 1_000);
  waste.watch(socket as unknown as Socket, () => waiting);
  return {
    socket,
    pass: (more: number) => {
      seconds += more;
    },
    wait(bytes: number) {
      waiting = bytes;
    },
    receive(read: number, used: number) {
      socket.bytesRead += read;
      waste.used('10.0.0.1:1', used);
    },
    read: (waiting: () => number) => waste.reading('10.0.0.1:1', waiting),
    [Symbol.dispose]: () => waste[Symbol.dispose](),
  };
}

test('a body in chunks of one byte ends its connection at the second read', () => {
  using given = connection();
  given.receive(64 * KiB, 10 * KiB);
  expect(given.socket.destroyed).toBe(false);
  given.receive(64 * KiB, 10 * KiB);
  expect(given.socket.destroyed).toBe(true);
});

test('what waits for a slow taker is no waste, until it has turned out to be none', () => {
  using given = connection();
  given.wait(190 * KiB);
  given.receive(200 * KiB, 0);
  expect(given.socket.destroyed).toBe(false);
  given.wait(0);
  given.receive(0, 10 * KiB);
  expect(given.socket.destroyed).toBe(true);
});

test('a body in short lines goes on for as long as it likes', () => {
  using given = connection();
  for (let read = 0; read < 10_000; read++) given.receive(64 * KiB, 40 * KiB);
  expect(given.socket.destroyed).toBe(false);
});

test('who takes a large answer may acknowledge it', () => {
  using given = connection();
  for (let read = 0; read < 1_000; read++) {
    given.socket.bytesWritten += 1_000 * KiB;
    given.receive(20 * KiB, 0);
  }
  expect(given.socket.destroyed).toBe(false);
});

test('a quiet connection may waste a little, again and again', () => {
  using given = connection();
  for (let hour = 0; hour < 100; hour++) {
    given.pass(3_600);
    given.receive(60 * KiB, 0);
  }
  expect(given.socket.destroyed).toBe(false);
});

test('a body that waits for a slow taker is no waste while it is read', () => {
  using given = connection();
  {
    using _body = given.read(() => 64 * KiB);
    given.receive(192 * KiB, 0);
    expect(given.socket.destroyed).toBe(false);
  }
  given.receive(0, 0);
  expect(given.socket.destroyed).toBe(true);
});
