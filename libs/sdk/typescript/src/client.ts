import { Blobs } from './blobs.ts';
import { type CallOptions, type Connection, type ConnectionOptions, createConnection } from './connection.ts';
import { Executions } from './executions.ts';
import { refuseOthers } from './options.ts';
import { resolveSettings } from './platform.ts';
import type { Execution, Program } from './programs.ts';
import { ApiKeys, Organizations, Templates, Webhooks } from './resources.ts';
import { Sandboxes } from './sandbox.ts';
import { TestSets } from './test-sets.ts';

export type DrydockOptions = ConnectionOptions & {
  /**
   * Where the platform is. `https:` means TLS. Default: that of a `profile` that is given, `DRYDOCK_URL`, that of the profile of the
   * environment, `http://127.0.0.1:8080`.
   */
  url?: string;
  /** An API key, which is exchanged for tokens, or a token. Default: as of `url`, with `DRYDOCK_API_KEY`. */
  apiKey?: string;
  /** Of `~/.config/drydock/config.toml`; it must be there. Default: `DRYDOCK_PROFILE`, `default`, which the environment wins over. */
  profile?: string;
};

/** A client of the platform. It has one connection, made at the first call, which keeps no process alive. */
export class Drydock implements Disposable {
  readonly sandboxes: Sandboxes;
  readonly executions: Executions;
  readonly blobs: Blobs;
  readonly testSets: TestSets;
  readonly templates: Templates;
  readonly apiKeys: ApiKeys;
  readonly organizations: Organizations;
  readonly webhooks: Webhooks;
  readonly #connection: Connection;

  /** Throws InvalidArgumentError, and UnauthenticatedError where there is no key. */
  constructor(options: DrydockOptions = {}) {
    refuseOthers(options, ['url', 'apiKey', 'profile', 'ca', 'maxRetries']);
    const connection = createConnection(resolveSettings(options), options);
    this.#connection = connection;
    this.sandboxes = new Sandboxes(connection);
    this.executions = new Executions(connection);
    this.blobs = new Blobs(connection);
    this.testSets = new TestSets(connection);
    this.templates = new Templates(connection);
    this.apiKeys = new ApiKeys(connection);
    this.organizations = new Organizations(connection);
    this.webhooks = new Webhooks(connection);
  }

  /** Runs a program of one file now. As `executions.run`. */
  run(
    language: string,
    source: string,
    options: Omit<Program, 'language' | 'source' | 'files' | 'template' | 'command'> & CallOptions = {},
  ): Promise<Execution> {
    const { signal, requestTimeout, requestTimeoutMs, ...program } = options;
    const callOptions = {
      ...(signal ? { signal } : {}),
      ...(requestTimeout === undefined ? {} : { requestTimeout }),
      ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
    };
    return this.executions.run({ ...program, language, source }, callOptions);
  }

  /** Ends the connection with all that is under way on it. That, and every later call, fails with ClientClosedError. */
  close(): void {
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
