import type { Drydock, Duration, Sandbox } from '../../../sdk/typescript/src/index.ts';
import { Failure } from '../failures.ts';

/** What one client of the tools has: sandboxes that it made are deleted with it. */
export class Session implements AsyncDisposable {
  readonly drydock: Drydock;
  readonly #made = new Map<string, Sandbox>();
  #closed = false;

  constructor(drydock: Drydock) {
    this.drydock = drydock;
  }

  async create(template: string, lifetime: Duration, signal: AbortSignal): Promise<Sandbox> {
    const sandbox = await this.drydock.sandboxes.create(template, {
      lifetime,
      signal,
      metadata: { made_by: 'drydock-mcp' },
    });
    if (this.#closed) {
      await sandbox.kill();
      throw new Failure('the session has ended');
    }
    this.#made.set(sandbox.id, sandbox);
    return sandbox;
  }

  /** A sandbox of the session, or another of the key's organisation. */
  async open(id: string, signal: AbortSignal): Promise<Sandbox> {
    return this.#made.get(id) ?? (await this.drydock.sandboxes.connect(id, { signal }));
  }

  async delete(id: string, signal: AbortSignal): Promise<boolean> {
    const existed = await this.drydock.sandboxes.kill(id, { signal });
    this.#made.delete(id);
    return existed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const sandboxes = [...this.#made.values()];
    this.#made.clear();
    await Promise.all(sandboxes.map((sandbox) => sandbox.kill()));
  }
}
