import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from '#libs/grpc/client.ts';
import { nameOfExecutor, readTls } from '#libs/grpc/tls.ts';
import { ProcessServiceDefinition, StartProcessRequest } from '#proto/drydock/v1/process.ts';
import type { Platform } from '../../deploy/local/platform.ts';
import { collect, connectGrpc } from '../support/api.ts';

const WARM_FLOOR = 3;
// Looking keeps the executor from its work.
const POLL_MS = 50;

/** The executor without the rest of the stack before it, called as the gateway calls it. */
export async function openExecutor(platform: Platform, sandboxId: string) {
  using api = connectGrpc(platform, platform.apiKey);
  const { organizations } = await api.auth.listOrganizations({
    pageSize: 1,
    pageToken: '',
  });
  const caller = {
    organizationId: organizations[0]!.id,
    apiKeyId: '',
    scopes: [],
    quota: undefined,
  };
  const tls = readTls(platform.tlsDirectory, 'gateway');
  const [{ id, address }] = platform.executors as [Platform['executors'][number]];
  const processes = createClient(ProcessServiceDefinition, address, { name: nameOfExecutor(id), tls });
  return {
    command: (words: readonly string[]) =>
      collect(processes.startProcess(StartProcessRequest.create({ sandboxId, command: [...words] }), { caller })),
    /** Waits until the pool is full again, so that what is measured next finds a warm one. */
    async untilWarm(): Promise<void> {
      while ((await warmSandboxes(platform)) < WARM_FLOOR) await pause(POLL_MS);
    },
    [Symbol.dispose]: () => processes[Symbol.dispose](),
  };
}

async function warmSandboxes({ metricsUrls }: Platform): Promise<number> {
  const text = await fetch(metricsUrls.get('executor-1')!).then((response) => response.text());
  return Number(/^executor_warm_sandboxes\{template="python"\} (\d+)/m.exec(text)?.[1] ?? 0);
}
