import { expect, test } from 'vitest';
import { createDetachKeys } from './detach-keys.ts';
import { localName, parsePlace } from './places.ts';
import { createTyping } from './typing.ts';

test.each([
  [['ab', 'c'], 'abc', false],
  [['a\x10\x11b'], 'a', true],
  [['a\x10', '\x11'], 'a', true],
  [['\x10', 'x'], '\x10x', false],
  [['\x10\x10\x11z'], '\x10', true],
  [['\x11'], '\x11', false],
])('of the keys %j come %j', (pieces, passed, detached) => {
  let [text, left] = ['', false];
  const keys = createDetachKeys(
    (data) => {
      text += Buffer.from(data);
    },
    () => {
      left = true;
    },
  );
  for (const piece of pieces) keys(Buffer.from(piece));
  expect([text, left]).toEqual([passed, detached]);
});

test('what is typed while input is written goes with the next call, in its order', async () => {
  const written: string[] = [];
  let release = Promise.withResolvers<void>();
  const typing = createTyping(async (data) => {
    written.push(Buffer.from(data).toString());
    await release.promise;
  });
  typing.add(Buffer.from('a'));
  typing.add(Buffer.from('b'));
  typing.add(Buffer.from('c'));
  release.resolve();
  await release.promise;
  await new Promise(setImmediate);
  expect(written).toEqual(['a', 'bc']);
  release = Promise.withResolvers();
});

test('input that cannot be written is told of, but for that of a program that has ended', async () => {
  const failing = (reason: string) => {
    const typing = createTyping(() => Promise.reject(Object.assign(new Error(reason), { reason })));
    typing.add(Buffer.from('a'));
    return Promise.race([typing.failed, new Promise((resolve) => setImmediate(() => resolve('quiet')))]);
  };
  await expect(failing('SERVICE_UNAVAILABLE')).rejects.toThrow('SERVICE_UNAVAILABLE');
  expect(await failing('PROCESS_ENDED')).toBe('quiet');
});

test('a place is in a sandbox or here', () => {
  expect(parsePlace('sbx_01abc:a/b')).toEqual({ sandboxId: 'sbx_01abc', path: 'a/b' });
  expect(parsePlace('sbx_01abc:')).toEqual({ sandboxId: 'sbx_01abc', path: '.' });
  for (const path of ['a:b', './sbx_x:y', 'C:\\x', '-'])
    expect(parsePlace(path)).toEqual({ sandboxId: undefined, path });
});

test('a name of a sandbox is no way to another directory', () => {
  for (const name of ['', '.', '..', 'a/b', '/etc/passwd', '..\\x', 'a\0']) expect(() => localName(name)).toThrow();
  expect(localName('...a')).toBe('...a');
});
