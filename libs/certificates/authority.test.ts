import { KeyObject, X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createAuthority, openAuthority } from './authority.ts';
import { newKeys } from './keys.ts';

const DAY_MS = 86_400_000;

describe('an authority', () => {
  test('signs again when it is opened, for no longer than it lasts itself', async () => {
    const { certificate, key } = await createAuthority('one');
    const authority = await openAuthority({ certificate, key });
    const { publicKey } = await newKeys();
    const validity = { notBefore: new Date(), notAfter: new Date(Date.now() + 10 * 365 * DAY_MS) };
    const signed = new X509Certificate(await authority.sign(publicKey, { subject: 'CN=a', dns: ['a'] }, validity));
    expect(signed.verify(new X509Certificate(certificate).publicKey)).toBe(true);
    expect(signed.validToDate).toEqual(new X509Certificate(certificate).validToDate);
    expect(signed.publicKey.equals(KeyObject.from(publicKey as never))).toBe(true);
  });

  test('with the key of another is refused', async () => {
    const [{ certificate }, { key }] = [await createAuthority('one'), await createAuthority('two')];
    await expect(openAuthority({ certificate, key })).rejects.toThrow(/do not belong to each other/);
  });

  // As Helm makes one, by its genCA.
  test('may have a key of RSA in PKCS #1', async () => {
    const { certificate, key } = await rsaAuthority();
    const authority = await openAuthority({ certificate, key });
    const issued = await authority.issue('CN=a', { dns: ['a'] });
    expect(new X509Certificate(issued.certificate).verify(new X509Certificate(certificate).publicKey)).toBe(true);
  });

  test('with a curve that is none of ours is refused', async () => {
    const { certificate, key } = await selfSigned({ name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' }, 'pkcs8');
    await expect(openAuthority({ certificate, key })).rejects.toThrow(/a key of EC \(P-256, P-384\) or RSA/);
  });
});

const rsaAuthority = () =>
  selfSigned(
    { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
    'pkcs1',
  );

async function selfSigned(algorithm: object, type: 'pkcs1' | 'pkcs8') {
  const { X509CertificateGenerator, BasicConstraintsExtension } = await import('@peculiar/x509');
  const keys = await crypto.subtle.generateKey(algorithm as never, true, ['sign', 'verify']);
  const generated = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=self',
    keys: keys as never,
    signingAlgorithm: algorithm as never,
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
    extensions: [new BasicConstraintsExtension(true, 0, true)],
  });
  const { privateKey } = keys as unknown as { privateKey: never };
  const key = KeyObject.from(privateKey).export({ type, format: 'pem' } as { type: 'pkcs8'; format: 'pem' });
  return { certificate: generated.toString('pem'), key: String(key) };
}
