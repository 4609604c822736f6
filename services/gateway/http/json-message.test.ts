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
