// The certificate library's own dependency injection needs it first.
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { type KeyPair, P256 } from './keys.ts';

/** Bytes of the largest request that is read: more than any with one name and a key that is accepted. */
export const MAX_REQUEST_BYTES = 4 * 1024;

const CURVES = ['P-256', 'P-384'];
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const ALTERNATIVE_NAME = '2.5.29.17';

/** What is wrong with a request, in words that stay. */
export type RequestProblem = 'MALFORMED' | 'NAME' | 'KEY' | 'SIGNATURE';

/** A request for a certificate that is not accepted. */
export class RequestRefused extends Error {
  readonly problem: RequestProblem;

  constructor(problem: RequestProblem, message: string) {
    super(message);
    this.problem = problem;
  }
}

/** A request for a certificate with one common name and one DNS name: PKCS #10 in DER, signed by the key that it is for. */
export async function requestCertificate(keys: KeyPair, commonName: string, dnsName: string): Promise<Buffer> {
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: `CN=${commonName}`,
    keys,
    signingAlgorithm: P256,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: dnsName }])],
  });
  return Buffer.from(request.rawData);
}

/**
 * The public key of a request for exactly these names, with a key of EC P-256 or P-384 that its sender has. Throws
 * `RequestRefused` for any other, so that nothing but the key is ever taken from it.
 */
export async function readRequest(der: Uint8Array, commonName: string, dnsName: string): Promise<x509.PublicKey> {
  if (der.length > MAX_REQUEST_BYTES)
    throw new RequestRefused('MALFORMED', `is larger than ${MAX_REQUEST_BYTES} bytes`);
  const request = parse(der);
  if (request.subject !== `CN=${commonName}` || !asksForName(request, dnsName))
    throw new RequestRefused('NAME', `has to be for CN=${commonName} and the DNS name ${dnsName}, and nothing else`);
  const { algorithm } = request.publicKey as { algorithm: { name: string; namedCurve?: string } };
  if (algorithm.name !== 'ECDSA' && algorithm.name !== 'ECDH') throw weakKey();
  if (!CURVES.includes(algorithm.namedCurve ?? '')) throw weakKey();
  if (!(await request.verify().catch(() => false)))
    throw new RequestRefused('SIGNATURE', 'is not signed by the key that it is for');
  return request.publicKey;
}

function parse(der: Uint8Array): x509.Pkcs10CertificateRequest {
  try {
    const request = new x509.Pkcs10CertificateRequest(der);
    // Read now: the library reads some of it only when it is asked for.
    void [request.subject, request.publicKey, request.extensions, request.attributes];
    return request;
  } catch {
    throw new RequestRefused('MALFORMED', 'is no PKCS #10 in DER');
  }
}

/** Whether one DNS name is all that a request asks for. */
function asksForName({ attributes, extensions }: x509.Pkcs10CertificateRequest, dnsName: string): boolean {
  const [extension] = extensions;
  if (attributes.some(({ type }) => type !== EXTENSION_REQUEST) || extensions.length !== 1) return false;
  if (extension?.type !== ALTERNATIVE_NAME) return false;
  const { items } = new x509.SubjectAlternativeNameExtension(extension.rawData).names;
  return items.length === 1 && items[0]!.type === 'dns' && items[0]!.value === dnsName;
}

const weakKey = () => new RequestRefused('KEY', 'needs a key of EC, P-256 or P-384');
