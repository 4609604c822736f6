import { Commands } from './commands.ts';
import { type CallOptions, type Connection, method } from './connection.ts';
import { type Duration, readLimit } from './durations.ts';
import { environmentConnection } from './environment.ts';
import { NotFoundError, SandboxNotRunningError } from './errors.ts';
import { Files } from './files.ts';
import {
  CreateSandboxRequest,
  type Sandbox as SandboxMessage,
  SandboxServiceDefinition,
  UpdateSandboxRequest,
} from './generated/drydock/v1/sandbox.ts';
import { CALL_OPTIONS, fromLimits, newRequestId, type ResourceLimits, refuseOthers, toLimits } from './options.ts';
import { Paged } from './paged.ts';
import { Pty } from './pty.ts';

const [CREATE, GET, LIST, UPDATE, DELETE] = [
  method(SandboxServiceDefinition, 'createSandbox'),
  method(SandboxServiceDefinition, 'getSandbox'),
  method(SandboxServiceDefinition, 'listSandboxes'),
  method(SandboxServiceDefinition, 'updateSandbox'),
  method(SandboxServiceDefinition, 'deleteSandbox'),
];

export type SandboxState = Exclude<SandboxMessage['state'], 'STATE_UNSPECIFIED'>;

export type SandboxInfo = Omit<SandboxMessage, 'limits' | 'stopReason'> & {
  /** Set once it has stopped, such as `EXPIRED`. */
  stopReason: SandboxMessage['stopReason'] | undefined;
  /** Every limit, as applied. */
  limits: ResourceLimits;
};

export type CreateOptions = CallOptions & {
  /** How long it may live, 1 s to 24 h. Default 5 minutes. */
  lifetime?: Duration;
  lifetimeMs?: number;
  limits?: ResourceLimits;
  /** Variables of every command. */
  environment?: Readonly<Record<string, string>>;
  /** Labels of your own, to find it by. */
  metadata?: Readonly<Record<string, string>>;
  /** Leaving the scope of `await using` does not delete it. */
  keep?: boolean;
};

export type SandboxFilter = CallOptions & {
  /** Default: all. */
  states?: readonly SandboxState[];
  /** Only those with all of these labels. */
  metadata?: Readonly<Record<string, string>>;
};

export type UpdateOptions = CallOptions & {
  /** Counted anew from now. */
  lifetime?: Duration;
  lifetimeMs?: number;
  /** Replaces all labels. */
  metadata?: Readonly<Record<string, string>>;
};

/** A sandbox that runs. `await using` deletes it at the end of the scope, unless `keep` is set. */
export class Sandbox implements AsyncDisposable {
  readonly id: string;
  /** As it was told of last: by create, connect, `getInfo` or `update`. */
  info: SandboxInfo;
  readonly commands: Commands;
  readonly files: Files;
  readonly pty: Pty;
  readonly #connection: Connection;
  readonly #keep: boolean;

  /** @internal */
  constructor(connection: Connection, info: SandboxInfo, keep: boolean) {
    this.id = info.id;
    this.info = info;
    this.commands = new Commands(connection, info.id);
    this.files = new Files(connection, info.id);
    this.pty = new Pty(connection, info.id);
    this.#connection = connection;
    this.#keep = keep;
  }

  /** `Sandboxes.create` of the client that the environment describes. */
  static create(template: string, options: CreateOptions = {}): Promise<Sandbox> {
    return new Sandboxes(environmentConnection()).create(template, options);
  }

  /** `Sandboxes.connect` of the client that the environment describes. */
  static connect(id: string, options: CallOptions = {}): Promise<Sandbox> {
    return new Sandboxes(environmentConnection()).connect(id, options);
  }

  /** `Sandboxes.list` of the client that the environment describes. */
  static list(filter: SandboxFilter = {}): Paged<SandboxInfo> {
    return new Sandboxes(environmentConnection()).list(filter);
  }

  /** Asks how it is now. */
  async getInfo(options: CallOptions = {}): Promise<SandboxInfo> {
    this.info = await getInfo(this.#connection, this.id, options);
    return this.info;
  }

  /** Changes its lifetime, its labels, or both. */
  async update(options: UpdateOptions): Promise<SandboxInfo> {
    const { metadata, lifetime, lifetimeMs, ...callOptions } = options;
    refuseOthers(callOptions, CALL_OPTIONS);
    const times = {
      ...(lifetime === undefined ? {} : { lifetime }),
      ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
    };
    const newLifetime = readLimit(times, 'lifetime');
    const request = UpdateSandboxRequest.create({
      sandboxId: this.id,
      lifetime: newLifetime,
      metadata: metadata ?? {},
      updateMask: [...(newLifetime ? ['lifetime'] : []), ...(metadata ? ['metadata'] : [])],
      requestId: newRequestId(),
    });
    const { sandbox } = await this.#connection.unary(UPDATE, request, callOptions, { repeatable: true });
    this.info = toInfo(sandbox!);
    return this.info;
  }

  /** Deletes it with everything in it. Tells whether it existed; that it has stopped already is no error. */
  kill(options: CallOptions = {}): Promise<boolean> {
    return new Sandboxes(this.#connection).kill(this.id, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#keep) await this.kill();
  }
}

/** The sandboxes of the organisation. */
export class Sandboxes {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Makes a sandbox and answers when it runs. Throws NotFoundError (TEMPLATE_NOT_FOUND), QuotaExceededError, NoCapacityError,
   * InvalidArgumentError.
   */
  async create(template: string, options: CreateOptions = {}): Promise<Sandbox> {
    const { limits, environment = {}, metadata = {}, keep = false, lifetime, lifetimeMs, ...callOptions } = options;
    refuseOthers(callOptions, CALL_OPTIONS);
    const times = {
      ...(lifetime === undefined ? {} : { lifetime }),
      ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
    };
    const request = CreateSandboxRequest.create({
      template,
      lifetime: readLimit(times, 'lifetime'),
      limits: toLimits(limits),
      environment,
      metadata,
      requestId: newRequestId(),
    });
    const { sandbox } = await this.#connection.unary(CREATE, request, callOptions, { repeatable: true });
    return new Sandbox(this.#connection, toInfo(sandbox!), keep);
  }

  /** A sandbox that runs already; leaving its scope does not delete it. Throws NotFoundError, SandboxNotRunningError. */
  async connect(id: string, options: CallOptions = {}): Promise<Sandbox> {
    const info = await getInfo(this.#connection, id, options);
    if (info.state === 'STOPPED')
      throw new SandboxNotRunningError(`the sandbox ${id} has stopped (${info.stopReason})`, {
        reason: 'SANDBOX_NOT_RUNNING',
        metadata: { state: info.state, stop_reason: info.stopReason ?? '' },
      });
    return new Sandbox(this.#connection, info, true);
  }

  /** Newest first. */
  list(filter: SandboxFilter = {}): Paged<SandboxInfo> {
    const { states = [], metadata = {}, ...callOptions } = filter;
    refuseOthers(callOptions, CALL_OPTIONS);
    const metadataFilters = Object.entries(metadata).map(([key, value]) => `${key}=${value}`);
    return new Paged(async (pageToken) => {
      const request = { pageSize: 0, pageToken, states: [...states], metadataFilters };
      const answer = await this.#connection.unary(LIST, request, callOptions, { repeatable: true });
      return { items: answer.sandboxes.map(toInfo), nextPageToken: answer.nextPageToken };
    });
  }

  /** Deletes a sandbox by its id, as `kill` of one does. */
  async kill(sandboxId: string, options: CallOptions = {}): Promise<boolean> {
    refuseOthers(options, CALL_OPTIONS);
    const request = { sandboxId, requestId: newRequestId() };
    try {
      await this.#connection.unary(DELETE, request, options, { repeatable: true });
      return true;
    } catch (error) {
      if (error instanceof NotFoundError) return false;
      throw error;
    }
  }

  /** One sandbox, running or stopped. */
  get(id: string, options: CallOptions = {}): Promise<SandboxInfo> {
    return getInfo(this.#connection, id, options);
  }
}

async function getInfo(connection: Connection, sandboxId: string, options: CallOptions): Promise<SandboxInfo> {
  refuseOthers(options, CALL_OPTIONS);
  const { sandbox } = await connection.unary(GET, { sandboxId }, options, { repeatable: true });
  return toInfo(sandbox!);
}

function toInfo({ limits, stopReason, ...info }: SandboxMessage): SandboxInfo {
  return {
    ...info,
    limits: fromLimits(limits),
    stopReason: stopReason === 'STOP_REASON_UNSPECIFIED' ? undefined : stopReason,
  };
}
