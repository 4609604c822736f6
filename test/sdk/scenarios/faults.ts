import { expect } from 'vitest';
import { openSandbox, openTenant, type Scenario } from '../fixture.ts';
import { startGateway } from '../gateway.ts';
import { startProxy } from '../proxy.ts';

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
    await proxy.loseAnswers(true);
    const creating = sandboxes.create('python');
    setTimeout(() => proxy.loseAnswers(false), 500);
    const { id } = await creating;
    expect((await sandboxes.list().toArray()).map((each) => each.id)).toEqual([id]);
  },

  async 'gateway-killed'() {
    await using gateway = await startGateway();
    await using tenant = await openSandbox({ url: gateway.url, maxRetries: 30 });
    const { sandbox } = tenant;
    const handle = await sandbox.commands.start(COUNT);
    for await (const event of handle) if (event.type === 'stdout') break;
    await gateway.kill();
    const listing = sandbox.commands.list();
    listing.catch(() => {});
    await gateway.start();
    expect(await handle.wait()).toMatchObject({ stdout: COUNTED, exitCode: 0 });
    expect(await listing).toMatchObject([{ id: handle.id }]);
  },
};
