import { webcrypto } from 'node:crypto';

/** How a key signs, as WebCrypto has it. */
export type SigningAlgorithm = EcdsaAlgorithm | { name: 'RSASSA-PKCS1-v1_5'; hash: 'SHA-256' };
type EcdsaAlgorithm = { name: 'ECDSA'; namedCurve: string; hash: 'SHA-256' };

/** Of every key that this project makes. */
export const P256: EcdsaAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export type KeyPair = { privateKey: CryptoKey; publicKey: CryptoKey };

/** A new key, ECDSA P-256. */
export async function newKeys(): Promise<KeyPair> {
  return (await webcrypto.subtle.generateKey(P256, true, ['sign', 'verify'])) as KeyPair;
}

/** PKCS #8 in PEM. */
export async function toPem(key: CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = der.toString('base64').match(/.{1,64}/g)!;
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}
