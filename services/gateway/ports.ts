import { createPublicServer } from '#libs/grpc/public-server.ts';
import { publicFiles } from './descriptors.ts';
import { servedMethods } from './gateway.ts';
import { type HttpOptions, startHttp } from './http/server.ts';
import { listen } from './listener.ts';

export type PortsOptions = Omit<HttpOptions, 'address' | 'grpc'> & {
  /** host:port for gRPC alone; port 0 picks a free one. */
  address: string;
  /** host:port for HTTP and gRPC. */
  httpAddress: string;
};

/** Opens the gateway's ports. Disposing lets the calls of both protocols end for 10 s, then cuts them off. */
export async function openPorts(options: PortsOptions): Promise<{ port: number; httpPort: number } & AsyncDisposable> {
  const { address, httpAddress, gateway, descriptors, waste, tls, log } = options;
  const methods = servedMethods(gateway);
  const grpc = createPublicServer({ methods, descriptors: publicFiles(descriptors), log, onUse: waste.used });
  await using opened = new AsyncDisposableStack();
  opened.use(grpc);
  const http = opened.use(await startHttp({ ...options, address: httpAddress, grpc }));
  const listener = opened.use(await listen(address, { grpc, waste, tls }));
  opened.move();
  return {
    port: listener.port,
    httpPort: http.port,
    // Side by side: the HTTP port is open until the last connection of gRPC that came by it has ended.
    async [Symbol.asyncDispose]() {
      await Promise.all([listener, http, grpc].map((each) => each[Symbol.asyncDispose]()));
    },
  };
}
