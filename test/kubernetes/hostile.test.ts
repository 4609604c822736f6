import { hostilePrograms } from '../hostile/suite.ts';
import { startExecutor } from '../integration/executor/fixture.ts';

/** As many warm instances at the end as at the start. */
const pool = { floor: 2, ceiling: 2 };

hostilePrograms('on Kubernetes', [
  { places: ['pod', 'live pod'], start: () => startExecutor({ pool }) },
  {
    places: ['gVisor', 'live gVisor'],
    start: () => startExecutor({ pool, template: { runtime: 'gvisor' } }),
    // As many as the kernels of its sandboxes need at the time: they are processes of the host.
    tolerances: { descriptors: 8_192, threads: 512 },
  },
]);
