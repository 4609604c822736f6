import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Of the V8 profiler. */
const SAMPLING_INTERVAL_US = 200;

/** Makes a service open its inspector, on a port that it picks and tells in a line. */
export const INSPECTED = { NODE_OPTIONS: '--inspect=127.0.0.1:0' };

type Answer = { id: number; result: { profile?: object } };

export type Profiler = {
  /** To be called with every line of every process: the addresses of their inspectors are in them. */
  onLine(process: string, line: string): void;
  /**
   * Profiles the processor time of every service during the work, each into `<directory>/<name>-<service>.cpuprofile`, which
   * the developer tools of a browser show as a flame graph.
   */
  during(name: string, work: () => Promise<unknown>): Promise<void>;
};

export function createProfiler(directory: string): Profiler {
  const addresses = new Map<string, string>();
  return {
    onLine(process, line) {
      const address = /^Debugger listening on (ws:\S+)$/.exec(line)?.[1];
      if (address) addresses.set(process, address);
    },
    async during(name, work) {
      await mkdir(directory, { recursive: true });
      const profiled = await Promise.all(
        [...addresses].map(async ([service, at]) => ({ service, ...(await begin(at)) })),
      );
      await work();
      for (const { service, end } of profiled)
        await writeFile(join(directory, `${name}-${service}.cpuprofile`), JSON.stringify(await end()));
    },
  };
}

async function begin(address: string): Promise<{ end: () => Promise<object> }> {
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error(`no inspector at ${address}`));
  });
  let sent = 0;
  const ask = (method: string, params: object = {}): Promise<Answer['result']> => {
    const id = ++sent;
    socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve) => {
      socket.addEventListener('message', function take({ data }) {
        const answer = JSON.parse(String(data)) as Answer;
        if (answer.id !== id) return;
        socket.removeEventListener('message', take);
        resolve(answer.result);
      });
    });
  };
  await ask('Profiler.enable');
  await ask('Profiler.setSamplingInterval', { interval: SAMPLING_INTERVAL_US });
  await ask('Profiler.start');
  return {
    async end() {
      const { profile = {} } = await ask('Profiler.stop');
      socket.close();
      return profile;
    },
  };
}
