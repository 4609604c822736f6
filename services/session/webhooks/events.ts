import { createFileRegistry, fromBinary, toJsonString } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { Queryable } from '#libs/postgres/database.ts';
import type { Execution } from '#proto/drydock/v1/execution.ts';
import { WebhookEvent } from '#proto/drydock/v1/webhook.ts';
import { type ExecutionRow, toExecution } from '../executions/row.ts';

const OUTPUT_BYTES = 64 * 1024;
const CASE_OUTPUT_BYTES = 1024;

/** Makes the body of a delivery: a `WebhookEvent` in the proto3 JSON mapping, as the HTTP API would print it. */
export type PrintEvent = (event: WebhookEvent) => Buffer;

/** `descriptors` is a FileDescriptorSet of the protos. */
export function openEventPrinter(descriptors: Uint8Array): PrintEvent {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptors));
  const schema = registry.getMessage('drydock.v1.WebhookEvent');
  if (!schema) throw new Error('the descriptors lack drydock.v1.WebhookEvent: npm run build makes them anew');
  return (event) => {
    const message = fromBinary(schema, WebhookEvent.encode(event).finish());
    return Buffer.from(toJsonString(schema, message, { alwaysEmitImplicit: true }));
  };
}

/** The event of a delivery; undefined if retention has deleted its execution. */
export async function readEvent(
  db: Queryable,
  deliveryId: string,
  executionId: string,
): Promise<WebhookEvent | undefined> {
  const [row] = await db.query<ExecutionRow>(
    `select id, language, template, state, result, priority, attempt, create_time, start_time, finish_time,
       substr(stdout, 1, ${OUTPUT_BYTES}) as stdout, length(stdout) as stdout_bytes,
       substr(stderr, 1, ${OUTPUT_BYTES}) as stderr, length(stderr) as stderr_bytes
     from executions where id = $1`,
    [executionId],
  );
  return row && { id: deliveryId, type: 'execution.finished', execution: shortened(toExecution(row)) };
}

/** Limits the output of test cases, of which there may be a hundred. */
function shortened(execution: Execution): Execution {
  return {
    ...execution,
    compile: execution.compile && withOutput(execution.compile, OUTPUT_BYTES),
    cases: execution.cases.map((each) => withOutput(each, CASE_OUTPUT_BYTES)),
  };
}

type Outputs = Pick<Execution, 'stdout' | 'stderr' | 'stdoutTruncated' | 'stderrTruncated'>;

function withOutput<T extends Outputs>(from: T, bytes: number): T {
  const stdout = beginning(from.stdout, bytes);
  const stderr = beginning(from.stderr, bytes);
  return {
    ...from,
    stdout,
    stderr,
    stdoutTruncated: from.stdoutTruncated || stdout.length < from.stdout.length,
    stderrTruncated: from.stderrTruncated || stderr.length < from.stderr.length,
  };
}

/** Cut at the end of a character. */
function beginning(text: string, bytes: number): string {
  return new TextDecoder().decode(Buffer.from(text).subarray(0, bytes), { stream: true });
}
