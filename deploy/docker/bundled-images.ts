import { type ArchiveOptions, describeImage, ensureArchiveOf } from '../images/build.ts';
import type { BuiltImage } from './service-image.ts';

// Debian's package makes a database at its installation, which nobody would use.
const NO_DATABASE =
  'mkdir -p "$1/etc/postgresql-common" && echo create_main_cluster=false >"$1/etc/postgresql-common/createcluster.conf"';

/** What a platform needs besides its services, for those who have none: Debian's packages. */
const BUNDLED = {
  postgresql: { packages: ['postgresql-15'], options: [`--essential-hook=${NO_DATABASE}`] },
  nats: { packages: ['nats-server'], options: [] },
};

export type BundledName = keyof typeof BUNDLED;

/** All of them, one after the other. */
export async function ensureBundledImages(options: ArchiveOptions): Promise<void> {
  for (const name of Object.keys(BUNDLED) as BundledName[]) await ensureBundledImage(name, options);
}

/** Makes sure that the cache has the root file system of an image with PostgreSQL or NATS. */
export async function ensureBundledImage(name: BundledName, options: ArchiveOptions): Promise<BuiltImage> {
  const { packages, options: more } = BUNDLED[name];
  const image = await describeImage(name, packages, more);
  return { archive: await ensureArchiveOf(image, options), tag: image.tag };
}
