/** What depends on where the SDK runs: here Node, Bun and Deno. In the package's build for browsers, `platform-browser.ts` is in its place. */
export { resolveSettings } from './config.ts';
export { openGrpc as openTransport } from './grpc.ts';
