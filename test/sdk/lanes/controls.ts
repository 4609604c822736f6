import { settings } from './settings.ts';

/** What the scenarios break, lent by the controls of the test. */
async function lend<T extends object>(kind: string) {
  const lent = (await post(`/${kind}`)) as T & { id: string };
  return {
    ...lent,
    call: (action: string) => post(`/${kind}/${lent.id}/${action}`),
    async [Symbol.asyncDispose]() {
      await fetch(`${settings.controls}/lent/${lent.id}`, { method: 'DELETE' });
    },
  };
}

async function post(path: string): Promise<unknown> {
  const response = await fetch(`${settings.controls}${path}`, { method: 'POST' });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  const text = await response.text();
  return text ? JSON.parse(text) : {};
}

export async function startProxy() {
  const proxy = await lend<{ url: string }>('proxies');
  return {
    ...proxy,
    cut: () => void proxy.call('cut'),
    loseAnswers: (lose: boolean) => proxy.call(lose ? 'lose-answers' : 'keep-answers'),
  };
}

export async function startGateway() {
  const gateway = await lend<{ url: string }>('gateways');
  return { ...gateway, kill: () => gateway.call('kill'), start: () => gateway.call('start') };
}

export const startTlsGateway = () =>
  lend<{ url: string; otherHostUrl: string; httpUrl: string; ca: string }>('tls-gateways');

export async function makeZip(files: Record<string, string>): Promise<Uint8Array> {
  const response = await fetch(`${settings.controls}/zips`, { method: 'POST', body: JSON.stringify(files) });
  return new Uint8Array(await response.arrayBuffer());
}
