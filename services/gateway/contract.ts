import type { DescMethod } from '@bufbuild/protobuf';
import type { Descriptors } from './descriptors.ts';
import { type ItemLimits, readItemLimits } from './message-limits.ts';
import { createScan, type Scan } from './message-scan.ts';
import { PUBLIC_METHODS, type PublicMethod } from './owners.ts';
import { findBytes } from './wire.ts';

/** What the descriptors say of one public method. */
export type MethodContract = {
  descriptor: DescMethod;
  /** Refuses bytes that are not a request of the method. */
  scan: Scan;
  /** The sandbox that a request names; empty if it names none. */
  sandboxIdOf(request: Uint8Array): string;
};

export type Contract = {
  limits: ItemLimits;
  of(method: PublicMethod): MethodContract;
};

/** Reads the contract of every public method. Throws if the descriptors lack one, or the limit of a field. */
export function readContract({ registry }: Descriptors): Contract {
  const limits = readItemLimits(registry);
  const methods = new Map(
    PUBLIC_METHODS.map((method) => {
      const { service, key } = method;
      const descriptor = registry.getService(service.fullName)?.method[key];
      if (!descriptor) throw new Error(`the descriptors lack ${service.fullName}.${key}`);
      const { input } = descriptor;
      const sandboxId = input.fields.find(({ name }) => name === 'sandbox_id')?.number;
      const contract: MethodContract = {
        descriptor,
        scan: createScan(input, limits),
        sandboxIdOf: (request) => (sandboxId ? textOf(findBytes(request, sandboxId)) : ''),
      };
      return [method, contract];
    }),
  );
  return { limits, of: (method) => methods.get(method)! };
}

function textOf(bytes: Uint8Array | undefined): string {
  return bytes ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString() : '';
}
