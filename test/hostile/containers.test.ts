import { ensureImage } from '../../deploy/images/build.ts';
import { startExecutor } from '../integration/executor/fixture.ts';
import { hostilePrograms } from './suite.ts';

/** As many warm instances at the end as at the start. */
const POOL = { floor: 2, ceiling: 2 };
/** With compilers. */
const image = () =>
  ensureImage('polyglot', {
    dockerSocket: process.env.DOCKER_SOCKET ?? '/var/run/docker.sock',
    cacheDirectory: process.env.IMAGE_CACHE ?? '/var/lib/drydock/images',
  });

hostilePrograms('on runc', [
  {
    places: ['cell', 'sandbox', 'live'],
    start: async () => startExecutor({ pool: POOL, template: { image: await image() } }),
  },
]);
