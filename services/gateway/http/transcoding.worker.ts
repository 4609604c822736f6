import { readFileSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { move } from 'piscina';
import { DrydockError } from '#libs/errors.ts';
import { readDescriptors } from '../descriptors.ts';
import { messageFromJson, messageToJson } from './json-message.ts';
import type { Outcome, Task } from './transcoding.ts';

const { registry } = readDescriptors(readFileSync(workerData.descriptorsFile));

/** Does one task. Refusals are an outcome: an error would lose its reason on the way between threads. */
export function transcode(task: Task): Outcome {
  const descriptor = registry.getMessage(task.type);
  if (!descriptor) throw new Error(`the descriptors lack ${task.type}`);
  try {
    const bytes =
      task.kind === 'decode'
        ? messageFromJson(descriptor, task.body, task.bodyField, task.given)
        : messageToJson(descriptor, task.message, task.only);
    return move(bytes) as unknown as Uint8Array;
  } catch (error) {
    if (!(error instanceof DrydockError)) throw error;
    const { reason, message, details } = error;
    return { reason, message, details };
  }
}
