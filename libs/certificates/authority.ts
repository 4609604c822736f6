// The certificate library's own dependency injection needs it first.
import 'reflect-metadata';
import { createPrivateKey, type KeyObject, webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { newKeys, P256, type SigningAlgorithm, toPem } from './keys.ts';

const DAY_MS = 86_400_000;
const VALID_DAYS = 365;

/** Both in PEM; the key is PKCS #8. */
export type Credential = { certificate: string; key: string };

/** Whom a certificate is for: `subject` as in `O=system:nodes,CN=me`, and its alternative names. */
export type Names = { subject: string; dns?: string[]; ip?: string[] };

export type Validity = { notBefore: Date; notAfter: Date };

export type Signer = {
  /** When the authority's own certificate ends; none that it signs is valid for longer. */
  readonly notAfter: Date;
  /** Signs a certificate for servers and clients, in PEM, of a key that somebody else has. */
  sign(publicKey: x509.PublicKeyType, names: Names, validity: Validity): Promise<string>;
};

export type Authority = Credential &
  Signer & {
    /** A new key and its certificate, valid for a year from yesterday. */
    issue(subject: string, names?: Omit<Names, 'subject'>): Promise<Credential>;
  };

/** A new authority, ECDSA P-256, that signs no other authority; valid for a year from yesterday. */
export async function createAuthority(name: string): Promise<Authority> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: P256,
    ...validForAYear(),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  return openAuthority({ certificate: certificate.toString('pem'), key: await toPem(keys.privateKey) });
}

/** An authority with a key of EC or RSA, in any PEM. Throws if the certificate is of another key. */
export async function openAuthority({ certificate, key }: Credential): Promise<Authority> {
  const privateKey = createPrivateKey(key);
  if (!new X509Certificate(certificate).checkPrivateKey(privateKey))
    throw new Error("the authority's key and its certificate do not belong to each other");
  const authority = new x509.X509Certificate(certificate);
  const algorithm = algorithmOf(privateKey);
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    privateKey.export({ type: 'pkcs8', format: 'der' }),
    algorithm,
    false,
    ['sign'],
  );
  const sign: Signer['sign'] = async (publicKey, { subject, dns = [], ip = [] }, { notBefore, notAfter }) => {
    const names = [
      ...dns.map((value) => ({ type: 'dns' as const, value })),
      ...ip.map((value) => ({ type: 'ip' as const, value })),
    ];
    const signed = await x509.X509CertificateGenerator.create({
      subject,
      issuer: authority.subject,
      publicKey,
      signingKey,
      signingAlgorithm: algorithm,
      notBefore,
      notAfter: new Date(Math.min(notAfter.getTime(), authority.notAfter.getTime())),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
      ],
    });
    return signed.toString('pem');
  };
  return {
    certificate,
    key,
    notAfter: authority.notAfter,
    sign,
    async issue(subject, names) {
      const own = await newKeys();
      const signed = await sign(own.publicKey, { subject, ...names }, validForAYear());
      return { certificate: signed, key: await toPem(own.privateKey) };
    },
  };
}

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): SigningAlgorithm {
  const curve = { prime256v1: 'P-256', secp384r1: 'P-384' }[asymmetricKeyDetails?.namedCurve ?? ''];
  if (curve) return { name: 'ECDSA', namedCurve: curve, hash: 'SHA-256' };
  if (asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  throw new Error('the authority needs a key of EC (P-256, P-384) or RSA');
}

function validForAYear(): Validity {
  const now = Date.now();
  return { notBefore: new Date(now - DAY_MS), notAfter: new Date(now + VALID_DAYS * DAY_MS) };
}
