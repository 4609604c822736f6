import type { Client } from '#libs/grpc/rpc.ts';
import type { CredentialServiceDefinition } from '#proto/drydock/internal/v1/auth.ts';
import type { TemplateServiceDefinition } from '#proto/drydock/v1/template.ts';

const DEADLINE_MS = 1_000;
const KEPT_MS = 1_000;

export type Dependencies = {
  credentials: Client<CredentialServiceDefinition>;
  templates: Client<TemplateServiceDefinition>;
  now?: () => number;
};

/**
 * Resolves when auth and session answer. What was found holds for a second, however many ask: the question needs no
 * credential, and must not be a way to load the services behind it.
 */
export function createReadiness({ credentials, templates, now = Date.now }: Dependencies): () => Promise<void> {
  let asked = Number.NEGATIVE_INFINITY;
  let found = Promise.resolve();
  const check = async () => {
    const options = { deadlineMs: DEADLINE_MS };
    await Promise.all([
      credentials.getKeySet({}, options).catch(() => unreachable('auth')),
      templates.listTemplates({ pageSize: 1, pageToken: '' }, options).catch(() => unreachable('session')),
    ]);
  };
  return () => {
    if (now() - asked >= KEPT_MS) {
      asked = now();
      found = check();
    }
    return found;
  };
}

function unreachable(name: string): never {
  throw new Error(`${name} does not answer`);
}
