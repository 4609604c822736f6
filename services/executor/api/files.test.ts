import { Metadata } from 'nice-grpc-common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Call } from '#libs/grpc/rpc.ts';
import { StatResponse } from '#proto/drydock/agent/v1/agent.ts';
import { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { StatFileResponse } from '#proto/drydock/v1/file.ts';
import { frameOf, respond, startHostileAgent } from '../agent/hostile-agent-fixture.ts';
import type { Sandbox, Sandboxes } from '../sandboxes/sandboxes.ts';
import { createFiles } from './files.ts';

let link: Awaited<ReturnType<typeof startHostileAgent>>;
beforeAll(async () => {
  link = await startHostileAgent();
});
afterAll(() => link[Symbol.asyncDispose]());

test.each([
  [-1, -1],
  [-500_000, -1],
  [-1_500_000, -2],
  [-(2 ** 53 - 1), -9_007_199_255],
  [1_500_000, 1],
])('a time of %d microseconds is told with a part of a second that is not negative', async (micros, seconds) => {
  const sandbox = { instance: { link }, lifetime: new AbortController() } as unknown as Sandbox;
  const files = createFiles({ get: () => sandbox } as Partial<Sandboxes> as Sandboxes);
  const call: Call = {
    signal: new AbortController().signal,
    caller: Caller.create({ organizationId: 'org_test' }),
    peer: '',
    metadata: Metadata(),
  };
  link.agent.answer = (stream) => {
    respond(stream);
    stream.end(
      frameOf(StatResponse.encode(StatResponse.fromPartial({ file: { modifyUnixMicroseconds: micros } })).finish()),
    );
  };
  const response = await files.statFile({ sandboxId: 'sbx_test', path: 'file' }, call);
  const { modifyTime } = StatFileResponse.decode(StatFileResponse.encode(response).finish()).file!;
  expect(Math.floor(modifyTime!.getTime() / 1000)).toBe(seconds);
  expect(micros > 0 || modifyTime!.getTime() % 1000 === 0).toBe(true);
});
