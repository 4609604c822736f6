import { relative } from 'node:path';
import { ROOT } from '../host/root.ts';

/** What vitest's JSON reporter tells of each file. */
export type FileResult = { name: string; assertionResults: { status: string }[] };

/**
 * What held on either backend of the tests that ran on both: a line for each file, as `9 of 9`, of what was not left out
 * there.
 */
export function contractLines(onDocker: FileResult[], onKubernetes: FileResult[]): string[] {
  const other = new Map(onKubernetes.map((file) => [file.name, file]));
  const both = onDocker.flatMap((docker) => {
    const kubernetes = other.get(docker.name);
    return kubernetes ? [[relative(ROOT, docker.name), [docker], [kubernetes]] as const] : [];
  });
  const all = ['together', both.flatMap(([, docker]) => docker), both.flatMap(([, , cluster]) => cluster)] as const;
  return [...both, all].map(
    ([name, docker, cluster]) => `contract ${name}: Docker ${share(docker)}, Kubernetes ${share(cluster)}`,
  );
}

function share(files: readonly FileResult[]): string {
  const statuses = files.flatMap(({ assertionResults }) => assertionResults.map(({ status }) => status));
  const count = (...wanted: string[]) => statuses.filter((status) => wanted.includes(status)).length;
  return `${count('passed')} of ${count('passed', 'failed')}`;
}
