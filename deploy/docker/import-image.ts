import { execa } from 'execa';
import type { BuiltImage } from './service-image.ts';

// A tar of a root file system says neither.
const CHANGES = ['ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'USER 1000'];

/** Gives an engine an image of the platform under a name, at most 128 characters as `name:tag`. */
export async function importImage(dockerSocket: string, { archive }: BuiltImage, name: string): Promise<void> {
  const changes = CHANGES.flatMap((change) => ['--change', change]);
  await execa('docker', ['--host', `unix://${dockerSocket}`, 'import', ...changes, archive, name]);
}
