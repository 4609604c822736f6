import { expect, inject } from 'vitest';
import { freePort } from '../../support/ports.ts';
import { startService } from '../../support/service-process.ts';
import { openSandbox, openTenant, type Scenario, startProxy } from '../fixture.ts';

const LINES = 60;
const COUNT = [
  'python3',
  '-c',
  `import time\nfor i in range(${LINES}): print(i, "x" * 2000, flush=True); time.sleep(0.03)`,
];
const COUNTED = Array.from({ length: LINES }, (_, i) => `${i} ${'x'.repeat(2000)}\n`).join('');

export const faults: Record<string, Scenario> = {
  async 'connection-cut-command'() {
    await using proxy = await startProxy();
    await using tenant = await openSandbox({ url: proxy.url });
    const handle = await tenant.sandbox.commands.start(COUNT);
    let [text, cuts] = ['', 0];
    for await (const event of handle) {
      if (event.type !== 'stdout') continue;
      text += event.text;
      if (text.length > (cuts + 1) * 20_000) {
        cuts += 1;
        proxy.cut();
      }
    }
    expect(cuts).toBeGreaterThan(3);
    expect(text).toBe(COUNTED);
    expect(await handle.wait().catch(({ name }: Error) => name)).toBeDefined();
  },

  async 'connection-cut-queue'() {
    await using proxy = await startProxy();
    await using tenant = await openTenant({ url: proxy.url });
    const job = await tenant.drydock.executions.submit({ language: 'python', source: 'import time; time.sleep(1.5)' });
    const waiting = job.wait();
    const cutting = setInterval(() => proxy.cut(), 300);
    expect(await waiting.finally(() => clearInterval(cutting))).toMatchObject({
      state: 'FINISHED',
      verdict: 'ACCEPTED',
    });
  },

  async 'answer-lost'() {
    await using proxy = await startProxy();
    await using tenant = await openTenant({ url: proxy.url });
    const { sandboxes } = tenant.drydock;
    await sandboxes.list().toArray();
    proxy.loseAnswers(true);
    const creating = sandboxes.create('python');
    setTimeout(() => proxy.loseAnswers(false), 500);
    const { id } = await creating;
    expect((await sandboxes.list().toArray()).map((each) => each.id)).toEqual([id]);
  },

  async 'gateway-killed'() {
    const port = await freePort();
    const address = { GATEWAY_ADDRESS: `127.0.0.1:${await freePort()}`, GATEWAY_HTTP_ADDRESS: `127.0.0.1:${port}` };
    const start = () => startService('gateway', { ...inject('sdk').gateway, ...address });
    await using first = start();
    await first.listening;
    await using tenant = await openSandbox({ url: `http://127.0.0.1:${port}`, maxRetries: 30 });
    const { sandbox } = tenant;
    const handle = await sandbox.commands.start(COUNT);
    for await (const event of handle) if (event.type === 'stdout') break;
    await first.kill();
    const listing = sandbox.commands.list();
    listing.catch(() => {});
    await using second = start();
    await second.listening;
    expect(await handle.wait()).toMatchObject({ stdout: COUNTED, exitCode: 0 });
    expect(await listing).toMatchObject([{ id: handle.id }]);
  },
};
