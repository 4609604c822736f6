import { EventEmitter } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type KeyPair, newKeys, toPem } from '#libs/certificates/keys.ts';
import { requestCertificate } from '#libs/certificates/request.ts';
import { hasReason } from '#libs/errors.ts';
import { createClient } from '#libs/grpc/client.ts';
import { nameOfExecutor, type Tls } from '#libs/grpc/tls.ts';
import { pause } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import { gauge } from '#libs/telemetry.ts';
import {
  CertificateServiceDefinition,
  type JoinRequest,
  JoinServiceDefinition,
} from '#proto/drydock/internal/v1/auth.ts';
import { goodNow, type Held, readCertificate, writeCertificate } from './certificate-file.ts';

const DEADLINE_MS = 10_000;
const RETRY_MS = 1_000;
/** Of what is left of a certificate's life, until its renewal is tried again. */
const RETRY_SHARE = 0.05;
const RENEWED_AT = 2 / 3;

export type IdentityOptions = {
  executorId: string;
  /** Of the authority that signed auth's certificate, and signs this executor's; PEM. */
  ca: Buffer;
  /** Where key and certificate are kept. */
  directory: string;
  /** Where auth gives a first certificate, and where it renews one. */
  joinAddress: string;
  authAddress: string;
  /** A file with a join token, or with the token of a ServiceAccount, which is read anew each time. */
  joinTokenFile: string | undefined;
  serviceAccountTokenFile: string | undefined;
  log: Logger;
};

/** The certificate that names this executor. Disposing ends its renewal. */
export type Identity = AsyncDisposable & { readonly tls: Tls };

type State = IdentityOptions & { held: Held; events: EventEmitter<{ renewed: [] }> };

/**
 * Takes up the certificate of an earlier process, or has auth sign one, for a key that never leaves this executor; waits for auth
 * while that is away. It is renewed at two thirds of its life, with a new key. Errors: those of `Join`.
 */
export async function openIdentity(options: IdentityOptions, signal: AbortSignal): Promise<Identity> {
  const { executorId, ca, directory } = options;
  const held = (await readCertificate(directory, executorId, ca)) ?? (await joinWhenPossible(options, signal));
  const state: State = { ...options, held, events: new EventEmitter() };
  const ended = new AbortController();
  const renewing = keepRenewed(state, ended.signal);
  gauge('executor_certificate_expiry_seconds', 'When the certificate ends, in seconds since 1970.', [], (set) =>
    set({}, state.held.notAfter.getTime() / 1000),
  );
  return {
    tls: {
      ca,
      get certificate() {
        return state.held.certificate;
      },
      get key() {
        return state.held.key;
      },
      onRenewed(listener) {
        state.events.on('renewed', listener);
        return { [Symbol.dispose]: () => void state.events.off('renewed', listener) };
      },
    },
    async [Symbol.asyncDispose]() {
      ended.abort();
      await renewing;
    },
  };
}

async function joinWhenPossible(options: IdentityOptions, signal: AbortSignal): Promise<Held> {
  // The same for each attempt: auth may have signed for it though its answer was lost.
  const keys = await newKeys();
  for (let told = false; ; told = true) {
    try {
      return await join(options, keys, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isAway(error)) throw error;
      if (!told) options.log.warn({ err: error }, 'waiting for auth, to join');
      await pause(RETRY_MS, signal);
      signal.throwIfAborted();
    }
  }
}

async function join(options: IdentityOptions, keys: KeyPair, signal: AbortSignal): Promise<Held> {
  const { ca, joinAddress, executorId } = options;
  const proof = await readProof(options);
  using auth = createClient(JoinServiceDefinition, joinAddress, { name: 'auth', tls: { ca } });
  const request = await requestFor(executorId, keys);
  return keep(options, keys, await auth.join({ request, proof }, { deadlineMs: DEADLINE_MS, signal }));
}

async function readProof({ joinTokenFile, serviceAccountTokenFile }: IdentityOptions): Promise<JoinRequest['proof']> {
  const read = async (file: string) => (await readFile(file, 'utf8')).trim();
  if (serviceAccountTokenFile) return { $case: 'serviceAccountToken', value: await read(serviceAccountTokenFile) };
  if (joinTokenFile) return { $case: 'joinToken', value: await read(joinTokenFile) };
  throw new Error(
    'this executor has no certificate that is good now: make a join token with services/auth/create-join-token.ts, and name its file in EXECUTOR_JOIN_TOKEN_FILE',
  );
}

async function renew(state: State, signal: AbortSignal): Promise<void> {
  const { ca, held, authAddress, executorId, events, log } = state;
  const keys = await newKeys();
  const tls = { ca, certificate: held.certificate, key: held.key };
  using auth = createClient(CertificateServiceDefinition, authAddress, { name: 'auth', tls });
  const request = await requestFor(executorId, keys);
  const answer = await auth.renew({ request }, { deadlineMs: DEADLINE_MS, signal });
  state.held = await keep(state, keys, answer);
  log.info({ notAfter: state.held.notAfter }, 'certificate renewed');
  events.emit('renewed');
}

async function keepRenewed(state: State, signal: AbortSignal): Promise<void> {
  for (let wait = untilDue(state.held); ; ) {
    await pause(wait, signal);
    if (signal.aborted) return;
    try {
      await renew(state, signal).catch((error) => joinAgain(state, error, signal));
      wait = untilDue(state.held);
    } catch (error) {
      if (signal.aborted) return;
      state.log.error({ err: error, notAfter: state.held.notAfter }, 'failed to renew the certificate; trying again');
      wait = Math.max(RETRY_MS, RETRY_SHARE * (state.held.notAfter.getTime() - Date.now()));
    }
  }
}

/** With a certificate that is over nobody may call: what proved this executor at first may still do so. */
async function joinAgain(state: State, cause: unknown, signal: AbortSignal): Promise<void> {
  if (Date.now() < state.held.notAfter.getTime()) throw cause;
  state.held = await join(state, await newKeys(), signal);
  state.events.emit('renewed');
}

function untilDue({ notBefore, notAfter }: Held): number {
  const life = notAfter.getTime() - notBefore.getTime();
  return Math.max(0, notBefore.getTime() + RENEWED_AT * life - Date.now());
}

async function requestFor(executorId: string, keys: KeyPair) {
  return { pkcs10: await requestCertificate(keys, 'executor', nameOfExecutor(executorId)), now: new Date() };
}

async function keep(
  { executorId, ca, directory }: IdentityOptions,
  { privateKey }: KeyPair,
  { certificate }: { certificate: string },
): Promise<Held> {
  const held = goodNow(certificate, await toPem(privateKey), executorId, ca);
  if (!held) throw new Error("auth's certificate is not good for this executor; look at the clocks of both machines");
  await writeCertificate(directory, held);
  return held;
}

const isAway = (error: unknown) => hasReason(error, 'SERVICE_UNAVAILABLE', 'DEADLINE_TOO_SHORT');
