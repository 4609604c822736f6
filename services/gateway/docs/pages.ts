import type { Binding } from '../http/bindings.ts';
import type { ItemLimits } from '../message-limits.ts';
import { grpcReference } from './grpc-reference.ts';
import { httpReference } from './http-reference.ts';
import { CONTENT_SECURITY_POLICY } from './page.ts';

export const DOCS_HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/** What `/docs` serves, by path. It needs no other host. */
export async function docsPages(bindings: readonly Binding[], limits: ItemLimits) {
  return {
    ...(await httpReference()),
    '/docs/grpc': { type: 'text/html; charset=utf-8', text: grpcReference(bindings, limits) },
  };
}
