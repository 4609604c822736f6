import { expect, test } from 'vitest';
import { createPipe, createTranscript } from './talk.ts';

test('a pipe gives what is written, in order, until it is closed', async () => {
  const pipe = createPipe(100);
  pipe.write(Buffer.from('a'));
  const reader = pipe[Symbol.asyncIterator]();
  expect((await reader.next()).value?.toString()).toBe('a');
  const next = reader.next();
  pipe.write(Buffer.from('b'));
  expect((await next).value?.toString()).toBe('b');
  const last = reader.next();
  pipe.end();
  pipe.write(Buffer.from('c'));
  expect((await last).done).toBe(true);
});

test('a pipe holds no more than its writer may write', async () => {
  const pipe = createPipe(10);
  for (let time = 0; time < 5; time++) pipe.write(Buffer.alloc(4, 'x'));
  let bytes = 0;
  const reader = pipe[Symbol.asyncIterator]();
  for (let time = 0; time < 3; time++) bytes += (await reader.next()).value!.length;
  expect(bytes).toBe(10);
  const last = reader.next();
  pipe.end();
  expect((await last).done).toBe(true);
});

test('the last words of a writer are read, unless the reader has ended', async () => {
  const read = async (end: 'end' | 'drop') => {
    const pipe = createPipe(100);
    pipe.write(Buffer.from('last'));
    pipe[end]();
    const pieces: string[] = [];
    for await (const piece of pipe) pieces.push(piece.toString());
    return pieces;
  };
  expect([await read('end'), await read('drop')]).toEqual([['last'], []]);
});

test('a transcript tells who said each line', () => {
  const { add, bytes } = createTranscript();
  add('interactor', Buffer.from('3\n'));
  add('program', Buffer.from('1 '));
  add('program', Buffer.from('2\nhalf'));
  add('interactor', Buffer.from('no\nmore\n'));
  expect(bytes().toString()).toBe('> 3\n< 1 2\n< half\n> no\n> more\n');
});

test('a transcript ends at 64 KiB, with a whole character, however much is said', () => {
  const { add, bytes } = createTranscript();
  for (let time = 0; time < 100; time++) add('program', Buffer.from('é'.repeat(10_000)));
  expect(bytes().length).toBe(64 * 1024);
  expect(bytes().toString()).not.toContain('\ufffd');
});
