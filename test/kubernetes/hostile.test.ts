import { hostilePrograms } from '../hostile/suite.ts';
import { startExecutor } from '../integration/executor/fixture.ts';

/** As many warm instances at the end as at the start. */
const pool = { floor: 2, ceiling: 2 };

hostilePrograms('on Kubernetes', [
  { places: ['pod', 'live pod'], start: () => startExecutor({ pool }) },
  {
    places: ['gVisor', 'live gVisor'],
    start: () => startExecutor({ pool, template: { runtime: 'gvisor' } }),
    // A sandbox of gVisor has thousands, as many as its kernel needs at the time.
    tolerances: { descriptors: 8_192 },
  },
]);
