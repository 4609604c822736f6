import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Serves a text that does not change while the process runs; a client that has it already gets 304. `more`: further headers. */
export function documentOf(
  type: string,
  text: string,
  more: Record<string, string> = {},
): (request: FastifyRequest, reply: FastifyReply) => FastifyReply {
  const etag = `"${createHash('sha256').update(text).digest('base64url')}"`;
  return ({ headers }, reply) => {
    reply.headers({ ...more, etag, 'cache-control': 'no-cache' });
    const known = headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
    if (known?.some((tag) => tag === etag || tag === '*')) return reply.code(304).send();
    return reply.type(type).send(text);
  };
}
