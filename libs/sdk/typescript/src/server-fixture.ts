import {
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServiceError,
  type status,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { type ConnectionOptions, createConnection } from './connection.ts';
import { AuthServiceDefinition } from './generated/drydock/v1/auth.ts';
import { ExecutionServiceDefinition } from './generated/drydock/v1/execution.ts';
import { FileServiceDefinition } from './generated/drydock/v1/file.ts';
import { ProcessServiceDefinition } from './generated/drydock/v1/process.ts';
import { SandboxServiceDefinition } from './generated/drydock/v1/sandbox.ts';
import { ErrorInfo } from './generated/google/rpc/error_details.ts';
import { Status } from './generated/google/rpc/status.ts';

const SERVICES = [
  AuthServiceDefinition,
  ExecutionServiceDefinition,
  FileServiceDefinition,
  ProcessServiceDefinition,
  SandboxServiceDefinition,
];

// biome-ignore lint/suspicious/noExplicitAny: handlers of any messages
type Handler = (...call: any[]) => void;

/** Serves those methods of the API that are given, by names such as `StartProcess`, and has a connection to them. */
export async function serve(
  handlers: Record<string, Handler>,
  { apiKey = 'token', ...options }: ConnectionOptions & { apiKey?: string } = {},
) {
  const definition: Record<string, MethodDefinition<unknown, unknown>> = {};
  for (const { fullName, methods } of SERVICES)
    for (const { name, requestType, requestStream, responseType, responseStream } of Object.values(methods))
      if (name in handlers)
        definition[name] = {
          path: `/${fullName}/${name}`,
          requestStream,
          responseStream,
          requestSerialize: (message) => Buffer.from(requestType.encode(message as never).finish()),
          requestDeserialize: (bytes) => requestType.decode(bytes),
          responseSerialize: (message) => Buffer.from(responseType.encode(message as never).finish()),
          responseDeserialize: (bytes) => responseType.decode(bytes),
        };
  const server = new Server();
  server.addService(definition, handlers as Record<string, UntypedHandleCall>);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
  const address = `127.0.0.1:${port}`;
  const url = `http://${address}`;
  const connection = createConnection({ address, tls: false, url, apiKey }, options);
  return {
    connection,
    url,
    [Symbol.dispose]() {
      connection.close();
      server.forceShutdown();
    },
  };
}

/** What a call fails with, as the platform says it. */
export function failure(code: status, reason: string): Partial<ServiceError> {
  const details = [{ typeUrl: 'type.googleapis.com/google.rpc.ErrorInfo', value: infoOf(reason) }];
  const metadata = new Metadata();
  metadata.set(
    'grpc-status-details-bin',
    Buffer.from(Status.encode(Status.create({ code, message: reason, details })).finish()),
  );
  return { code, details: reason, metadata };
}

function infoOf(reason: string): Buffer {
  return Buffer.from(ErrorInfo.encode(ErrorInfo.create({ reason, domain: 'drydock' })).finish());
}
