import type { JsonObject } from '@bufbuild/protobuf';
import { expect } from 'vitest';
import type { PublicCall, Wire } from './wire.ts';

/** How a call is refused; `status` is that of HTTP. */
export type Wrong = { status: number; code: number; reason: string };
export const INVALID: Wrong = { status: 400, code: 3, reason: 'INVALID_FIELD' };
export const notFound = (reason: string): Wrong => ({ status: 404, code: 5, reason });

/** A request that is refused; `field` is the one that `BadRequest` names. */
export type Case = [
  name: string,
  call: PublicCall,
  request: JsonObject,
  field: string | undefined,
  says: RegExp,
  wrong?: Wrong | undefined,
];

/** The same words, reason and fields on both transports, with the status of each. */
export async function expectRefused(wire: Wire, [, call, request, field, says, wrong = INVALID]: Case): Promise<void> {
  const { status, headers, ...http } = await wire.http(call, request);
  const grpc = await wire.grpc(call, request);
  expect(grpc).toEqual(http);
  expect({ status, code: grpc.code, reason: grpc.reason }).toEqual(wrong);
  expect(grpc.fields).toEqual(field === undefined ? [] : [field]);
  expect(grpc.message).toMatch(says);
  expect(headers['content-type']).toBe('application/json');
}
