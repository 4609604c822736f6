import { readFile } from 'node:fs/promises';
import Docker from 'dockerode';
import type { Platform } from '../../deploy/local/platform.ts';

const MiB = 1024 * 1024;

export type Footprint = {
  /** MiB that a warm sandbox's own control group is charged with; nothing where its files cannot be read. */
  idleSandboxMiB: number | undefined;
  /** Resident MiB of each service. */
  servicesMiB: Record<string, number>;
};

/** What the platform takes when nothing happens. */
export async function footprint({ metricsUrls }: Platform): Promise<Footprint> {
  const servicesMiB: Record<string, number> = {};
  for (const [name, url] of metricsUrls) {
    const text = await fetch(url).then((response) => response.text());
    servicesMiB[name] = Number(/^process_resident_memory_bytes (\S+)/m.exec(text)?.[1]) / MiB;
  }
  return { servicesMiB, idleSandboxMiB: await idleSandbox() };
}

async function idleSandbox(): Promise<number | undefined> {
  const docker = new Docker({ socketPath: process.env.DOCKER_SOCKET });
  const containers = await docker.listContainers({
    filters: JSON.stringify({ label: ['drydock.template=python'] }),
  });
  const figures: number[] = [];
  for (const { Id } of containers) {
    const { State } = await docker.getContainer(Id).inspect();
    const groups = await readFile(`/proc/${State.Pid}/cgroup`, 'utf8');
    const v1 = /^\d+:memory:(.*)$/m.exec(groups)?.[1];
    const v2 = /^0::(.*)$/m.exec(groups)?.[1];
    const file = v1 ? `/sys/fs/cgroup/memory${v1}/memory.usage_in_bytes` : `/sys/fs/cgroup${v2}/memory.current`;
    const bytes = await readFile(file, 'utf8').catch(() => undefined);
    if (bytes) figures.push(Number(bytes) / MiB);
  }
  return figures.length > 0 ? Math.min(...figures) : undefined;
}
