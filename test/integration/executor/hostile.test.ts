import { ensureImage } from '../../../deploy/images/build.ts';
import { hostilePrograms } from '../../hostile/suite.ts';
import { engineSocket } from './backend-under-test.ts';
import { startExecutor } from './fixture.ts';

/** As many warm instances at the end as at the start. */
const POOL = { floor: 2, ceiling: 2 };
/** With compilers. */
const image = () =>
  ensureImage('polyglot', {
    dockerSocket: engineSocket(),
    cacheDirectory: process.env.IMAGE_CACHE ?? '/var/lib/drydock/images',
  });

hostilePrograms('on runc', [
  {
    places: ['cell', 'sandbox', 'live'],
    start: async () => startExecutor({ pool: POOL, template: { image: await image() } }),
  },
]);
