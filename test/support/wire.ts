import { readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, type OutgoingHttpHeader, request } from 'node:http';
import { type ClientHttp2Stream, type ClientSessionOptions, connect, type OutgoingHttpHeaders } from 'node:http2';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createFileRegistry, fromBinary, fromJson, type JsonObject, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { BadRequest, ErrorInfo, RetryInfo } from 'nice-grpc-error-details';
import { Status } from 'nice-grpc-error-details/lib/proto/google/rpc/status.js';
import { BUILD } from '../../deploy/host/root.ts';
import type { Endpoints } from './api.ts';

const HEADER_BYTES = 5;
const MAX_SESSION_MB = 1_000;

const registry = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, readFileSync(join(BUILD, 'descriptors.binpb'))),
);

/** Of a caller; several to send all of them. */
export type Credential = string | readonly string[] | undefined;

/** Node knows the option, its types do not yet. */
type LenientOptions = ClientSessionOptions & { strictSingleValueFields: boolean };

/** What an error says, on either transport. */
export type Refusal = {
  /** Of `google.rpc.Code`; 0 where the call succeeded. */
  code: number;
  reason: string;
  message: string;
  fields: string[];
  /** Of `RetryInfo`; undefined without one. */
  retryAfterSeconds: number | undefined;
};

/** A method of the public API by both of its names. `{field}` in the path is taken from the request. */
export type PublicCall = { grpc: string; http: readonly [verb: string, path: string] };

export const CALLS = {
  createSandbox: { grpc: 'drydock.v1.SandboxService/CreateSandbox', http: ['POST', '/v1/sandboxes'] },
  getSandbox: { grpc: 'drydock.v1.SandboxService/GetSandbox', http: ['GET', '/v1/sandboxes/{sandboxId}'] },
  listSandboxes: { grpc: 'drydock.v1.SandboxService/ListSandboxes', http: ['GET', '/v1/sandboxes'] },
  updateSandbox: { grpc: 'drydock.v1.SandboxService/UpdateSandbox', http: ['PATCH', '/v1/sandboxes/{sandboxId}'] },
  deleteSandbox: { grpc: 'drydock.v1.SandboxService/DeleteSandbox', http: ['DELETE', '/v1/sandboxes/{sandboxId}'] },
  runCode: { grpc: 'drydock.v1.ExecutionService/RunCode', http: ['POST', '/v1/executions:run'] },
  streamCode: { grpc: 'drydock.v1.ExecutionService/StreamCode', http: ['POST', '/v1/executions:stream'] },
  getExecution: { grpc: 'drydock.v1.ExecutionService/GetExecution', http: ['GET', '/v1/executions/{executionId}'] },
  getTemplate: { grpc: 'drydock.v1.TemplateService/GetTemplate', http: ['GET', '/v1/templates/{templateId}'] },
  startProcess: {
    grpc: 'drydock.v1.ProcessService/StartProcess',
    http: ['POST', '/v1/sandboxes/{sandboxId}/processes'],
  },
  connectProcess: {
    grpc: 'drydock.v1.ProcessService/ConnectProcess',
    http: ['GET', '/v1/sandboxes/{sandboxId}/processes/{processId}:connect'],
  },
  signalProcess: {
    grpc: 'drydock.v1.ProcessService/SignalProcess',
    http: ['POST', '/v1/sandboxes/{sandboxId}/processes/{processId}:signal'],
  },
  statFile: { grpc: 'drydock.v1.FileService/StatFile', http: ['GET', '/v1/sandboxes/{sandboxId}/files/{path}:stat'] },
  readFile: { grpc: 'drydock.v1.FileService/ReadFile', http: ['GET', '/v1/sandboxes/{sandboxId}/files/{path}'] },
  writeFile: { grpc: 'drydock.v1.FileService/WriteFile', http: ['PUT', '/v1/sandboxes/{sandboxId}/files/{path}'] },
  makeDirectory: {
    grpc: 'drydock.v1.FileService/MakeDirectory',
    http: ['POST', '/v1/sandboxes/{sandboxId}/files/{path}:mkdir'],
  },
  removeFile: { grpc: 'drydock.v1.FileService/RemoveFile', http: ['DELETE', '/v1/sandboxes/{sandboxId}/files/{path}'] },
} satisfies Record<string, PublicCall>;

/**
 * Calls of the public API as bytes on the wire, so that anything can be sent, also what no client would: of nobody without a
 * credential, and with a header for each of several.
 */
export function connectWire({ gatewayAddress, httpUrl }: Endpoints, credential: Credential) {
  const lenient: LenientOptions = { maxSessionMemory: MAX_SESSION_MB, strictSingleValueFields: false };
  const session = connect(`http://${gatewayAddress}`, lenient);
  session.on('error', () => {});
  const credentials = [credential ?? []].flat();
  const authorization: Record<string, string[]> =
    credentials.length > 0 ? { authorization: credentials.map((each) => `Bearer ${each}`) } : {};
  /** A gRPC call whose messages are still to be sent. */
  const open = (method: string, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream =>
    session.request(
      listed({
        ':method': 'POST',
        ':path': `/${method}`,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...authorization,
        ...headers,
      }),
    );
  const grpcBytes = async (method: string, message: Uint8Array, headers?: OutgoingHttpHeaders): Promise<Refusal> => {
    const stream = open(method, headers);
    stream.end(framed(message));
    return refusalOf(stream);
  };
  const grpc = ({ grpc: method }: PublicCall, request: JsonObject, headers?: OutgoingHttpHeaders) =>
    grpcBytes(method, messageOf(method, request), headers);
  const agent = new Agent({ keepAlive: true });
  /** An HTTP request exactly as given: nothing in the target is normalised. */
  const httpBytes = async (
    [verb, target]: readonly [string, string],
    body?: Uint8Array | string,
    headers: OutgoingHttpHeaders = {},
  ): Promise<HttpRefusal> => {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const call = request(httpUrl, {
      agent,
      method: verb,
      path: target,
      headers: { ...authorization, ...length, ...headers },
    });
    const response = new Promise<IncomingMessage>((resolve, reject) =>
      call.once('response', resolve).on('error', reject),
    );
    call.end(body);
    return httpRefusal(await response);
  };
  const http = ({ http: route }: PublicCall, json: JsonObject, headers?: OutgoingHttpHeaders) => {
    const { verb, target, body } = httpRequest(route, json);
    return httpBytes([verb, target], body, headers);
  };
  return {
    open,
    grpc,
    grpcBytes,
    http,
    httpBytes,
    [Symbol.dispose]() {
      session.destroy();
      agent.destroy();
    },
  };
}

/** Names and values in turn, a name for each of several values. */
function listed(headers: Record<string, OutgoingHttpHeader | undefined>): string[] {
  return Object.entries(headers).flatMap(([name, values]) =>
    [values ?? []].flat().flatMap((each) => [name, `${each}`]),
  );
}

export type Wire = ReturnType<typeof connectWire>;

/** A gRPC message as it goes over the wire. */
export function framed(message: Uint8Array): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** The message that a method takes, from its proto3 JSON. */
export function messageOf(method: string, request: JsonObject): Uint8Array {
  const [service = '', name = ''] = method.split('/');
  const { input } = registry.getService(service)!.methods.find((each) => each.name === name)!;
  return toBinary(input, fromJson(input, request));
}

/** How a gRPC call ended; what it answered is thrown away. */
export async function refusalOf(stream: ClientHttp2Stream): Promise<Refusal> {
  const ending: Record<string, unknown> = {};
  stream.on('response', (headers) => Object.assign(ending, headers));
  stream.on('trailers', (trailers) => Object.assign(ending, trailers));
  stream.resume();
  await new Promise<void>((resolve, reject) => {
    stream.once('error', reject);
    // The client's side may still be open: a refusal does not wait for the rest of the request.
    stream.once('end', resolve);
    stream.once('close', resolve);
  });
  const details = Status.decode(Buffer.from(String(ending['grpc-status-details-bin'] ?? ''), 'base64')).details;
  const detail = <T>(type: { $type: string; decode(bytes: Uint8Array): T }): T | undefined => {
    const found = details.find(({ typeUrl }) => typeUrl.endsWith(`/${type.$type}`));
    return found && type.decode(found.value);
  };
  const delay = detail(RetryInfo)?.retryDelay;
  return {
    code: Number(ending['grpc-status']),
    reason: detail(ErrorInfo)?.reason ?? '',
    message: decodeURIComponent(String(ending['grpc-message'] ?? '')),
    fields: detail(BadRequest)?.fieldViolations.map(({ field }) => field) ?? [],
    retryAfterSeconds: delay && Number(delay.seconds) + delay.nanos / 1e9,
  };
}

type StatusJson = {
  code: number;
  message: string;
  details: { '@type': string; reason?: string; retryDelay?: string; fieldViolations?: { field: string }[] }[];
};

/** With the status of HTTP; other headers and the body are thrown away. */
export type HttpRefusal = Refusal & { status: number; headers: IncomingMessage['headers'] };

async function httpRefusal(response: IncomingMessage): Promise<HttpRefusal> {
  const body = await text(response);
  const { statusCode: status = 0, headers } = response;
  if (status < 400)
    return { status, headers, code: 0, reason: '', message: '', fields: [], retryAfterSeconds: undefined };
  return { status, headers, ...refusalOfJson(JSON.parse(body)) };
}

export function refusalOfJson({ code, message, details }: StatusJson): Refusal {
  const detail = (type: string) => details.find((each) => each['@type'].endsWith(`.${type}`));
  const delay = detail('RetryInfo')?.retryDelay;
  return {
    code,
    message,
    reason: detail('ErrorInfo')?.reason ?? '',
    fields: detail('BadRequest')?.fieldViolations?.map(({ field }) => field) ?? [],
    retryAfterSeconds: delay === undefined ? undefined : Number(delay.replace('s', '')),
  };
}

/** The fields of a request where a route has them: in the path, then in the query or the body. */
export function httpRequest([verb, path]: PublicCall['http'], request: JsonObject) {
  const rest = { ...request };
  const target = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = String(rest[name] ?? '');
    delete rest[name];
    return encodeURIComponent(value);
  });
  if (verb !== 'GET' && verb !== 'DELETE') return { verb, target, body: JSON.stringify(rest) };
  const texts = Object.entries(rest).flatMap(([name, value]) => [value].flat().map((each) => [name, String(each)]));
  return { verb, target: `${target}?${new URLSearchParams(texts)}`, body: undefined };
}
