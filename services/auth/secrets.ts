import { createHash, randomBytes } from 'node:crypto';

const SHAPE = /^dk_[A-Za-z0-9_-]{43}$/;

/** A new API key: `dk_` and 32 random bytes. Shown once; only its hash is kept. */
export function newSecret(): string {
  return `dk_${randomBytes(32).toString('base64url')}`;
}

/** A new join token: `djt_` and 32 random bytes. Shown once; only its hash is kept. */
export function newJoinToken(): string {
  return `djt_${randomBytes(32).toString('base64url')}`;
}

/** What is kept of a secret, and looked up: 256 random bits need no salt, and a lookup by hash leaks no timing of the secret. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

export function isSecret(value: string): boolean {
  return SHAPE.test(value);
}
