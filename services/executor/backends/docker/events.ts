import { setTimeout as pause } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { Logger } from '#libs/log.ts';
import type { EndedReason, Watcher } from '../backend.ts';
import { INSTANCE_LABEL } from './container.ts';

const RECONNECT_MS = 500;
const KILLED_EXIT_CODE = '137';
// An `oom` just before `die` ended the container; an earlier one ended only a child process.
const SAME_CAUSE_NS = 2_000_000_000n;

type EngineEvent = { Action?: string; timeNano?: number; Actor?: { Attributes?: Record<string, string> } };

/** Follows the events of labelled containers, and reconnects after every interruption. */
export function watchEngine(docker: Docker, label: string, log: Logger, watcher: Watcher): AsyncDisposable {
  const stop = new AbortController();
  const handle = createInterpreter((instanceId, reason) => watcher.ended(instanceId, reason));
  const filters = { label: [label], type: ['container'], event: ['die', 'oom', 'destroy'] };
  const loop = async () => {
    for (let connections = 0; !stop.signal.aborted; connections++) {
      try {
        const events = await docker.getEvents({ filters: JSON.stringify(filters), abortSignal: stop.signal });
        if (connections > 0) watcher.changed();
        for await (const line of linesOf(events)) handle(JSON.parse(line));
        log.warn('engine closed its events');
      } catch (error) {
        if (!stop.signal.aborted) log.warn({ err: error }, 'engine events interrupted');
      }
      await pause(RECONNECT_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
  };
  const ended = loop();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}

/** Derives the end of a container and its reason from events. */
export function createInterpreter(ended: (instanceId: string, reason: EndedReason) => void) {
  const outOfMemoryAt = new Map<string, bigint>();
  return ({ Action, timeNano = 0, Actor }: EngineEvent): void => {
    const attributes = Actor?.Attributes ?? {};
    const instanceId = attributes[INSTANCE_LABEL];
    if (!instanceId) return;
    const at = BigInt(timeNano);
    if (Action === 'oom') outOfMemoryAt.set(instanceId, at);
    if (Action === 'destroy') outOfMemoryAt.delete(instanceId);
    if (Action !== 'die') return;
    const last = outOfMemoryAt.get(instanceId);
    outOfMemoryAt.delete(instanceId);
    const outOfMemory = last !== undefined && at - last < SAME_CAUSE_NS && attributes.exitCode === KILLED_EXIT_CODE;
    ended(instanceId, outOfMemory ? 'OUT_OF_MEMORY' : 'EXITED');
  };
}

async function* linesOf(stream: NodeJS.ReadableStream): AsyncIterable<string> {
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines.filter(Boolean);
  }
}
