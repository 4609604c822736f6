import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readDescriptors } from '../descriptors.ts';
import { messageFromJson } from './json-message.ts';

const { registry } = readDescriptors(readFileSync('.build/descriptors.binpb'));
const request = registry.getMessage('drydock.v1.RunCodeRequest')!;

test.each(['{"environment": {"__proto__": "x"}}', '{"environment": {"\\u005f_proto__": "x"}}'])(
  'a name that a map would lose is refused: %s',
  (body) => {
    expect(() => messageFromJson(request, Buffer.from(body), '', [])).toThrow(
      expect.objectContaining({ reason: 'MALFORMED_REQUEST', message: '__proto__: is a name that cannot be used' }),
    );
  },
);

test.each([
  ['{"limits": {"wallTime": 2}}', 'limits.wallTime: must be a text of seconds, such as "2s" or "0.5s"'],
  [
    '{"testCases": [{}, {"limits": {"cpuTime": "soon"}}]}',
    'testCases[1].limits.cpuTime: must be a text of seconds, such as "2s" or "0.5s"',
  ],
  ['{"files": [{"data": 5}]}', 'files[0].data: must be a text in base64'],
  ['{"isolation": "NONE"}', 'isolation: must be one of ISOLATION_UNSPECIFIED, CELL, SANDBOX'],
  ['{"sauce": 1}', 'sauce: is unknown'],
])('a field of another form is told the right one: %s', (body, message) => {
  expect(() => messageFromJson(request, Buffer.from(body), '', [])).toThrow(message);
});
