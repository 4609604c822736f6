// The certificate library's own dependency injection needs it first.
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;
const VALID_DAYS = 365;

type KeyPair = Awaited<ReturnType<typeof crypto.subtle.generateKey>> & {
  privateKey: CryptoKey;
  publicKey: CryptoKey;
};

/** Both in PEM; the key is PKCS #8. */
export type Credential = { certificate: string; key: string };

export type Authority = Credential & {
  /** A certificate for servers and clients, valid for a year from yesterday; `subject` as in `O=system:nodes,CN=me`. */
  issue(subject: string, names?: { dns?: string[]; ip?: string[] }): Promise<Credential>;
};

/** An authority of its own, ECDSA P-256, that signs no other authority. */
export async function createAuthority(name: string): Promise<Authority> {
  const keys = await newKeys();
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity(),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  return {
    certificate: authority.toString('pem'),
    key: await toPem(keys.privateKey),
    async issue(subject, { dns = [], ip = [] } = {}) {
      const own = await newKeys();
      const names = [
        ...dns.map((value) => ({ type: 'dns' as const, value })),
        ...ip.map((value) => ({ type: 'ip' as const, value })),
      ];
      const certificate = await x509.X509CertificateGenerator.create({
        subject,
        issuer: authority.subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: ALGORITHM,
        ...validity(),
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
          ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
        ],
      });
      return { certificate: certificate.toString('pem'), key: await toPem(own.privateKey) };
    },
  };
}

/** When a certificate in PEM ends. */
export function endOf(certificate: string): Date {
  return new x509.X509Certificate(certificate).notAfter;
}

function validity() {
  const now = Date.now();
  return {
    notBefore: new Date(now - DAY_MS),
    notAfter: new Date(now + VALID_DAYS * DAY_MS),
  };
}

async function newKeys(): Promise<KeyPair> {
  return (await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as KeyPair;
}

async function toPem(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}
