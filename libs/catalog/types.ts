/** Limits of a sandbox, without those that only executions have. */
export type SandboxLimits = { memoryBytes: number; processes: number; diskBytes: number; cpus: number };

/** Warm sandboxes: at least `floor`, and under demand at most `ceiling`. */
export type WarmRange = { readonly floor: number; readonly ceiling: number };

export type Template = {
  readonly id: string;
  readonly description: string;
  /** Name of an image of `deploy/images`, or a full reference. */
  readonly image: string;
  /** Default limits of a sandbox. */
  readonly limits: Readonly<SandboxLimits>;
  readonly writableRoot: boolean;
  /** Runtime class of the engine, such as `runsc`; null is the engine's default. */
  readonly runtime: string | null;
  /** Warm sandboxes that an executor keeps, and warm cell hosts; default none of these. */
  readonly pool: WarmRange & { readonly cells?: WarmRange };
};

/** Commands are argument arrays; `planProgram` fills in their placeholders. */
export type Language = {
  readonly name: string;
  readonly displayName: string;
  readonly template: string;
  /** Name of the file of a program that has one. */
  readonly sourceFile: string;
  /** File extensions of the language's sources. */
  readonly extensions: readonly string[];
  readonly compile?: readonly string[];
  readonly run: readonly string[];
  /** Finds syntax errors, after a run that ended with an exit code other than 0. For languages without `compile`. */
  readonly check?: readonly string[];
  /** Put before the first line of the entry point. */
  readonly prefix?: string;
  /** Sources get lines that end as its interpreter wants them, with LF alone. */
  readonly onlyLineFeeds?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  /** Signal on which its runtime ends and writes what it still holds of its output. It is sent when the time is up. */
  readonly interrupt?: string;
  /** Environment in which its runtime holds no output back, which costs it time: for programs whose output is streamed. */
  readonly streamEnvironment?: Readonly<Record<string, string>>;
  /** How sources tell the class that `{class}` becomes; absent: it is named like the entry point. */
  readonly mainClass?: 'java' | 'scala';
  /** Signal by which its runtime ends a program that has filled the runtime's own heap; absent if the kernel decides. */
  readonly heapFull?: string;
};

export type Catalog = {
  readonly templates: ReadonlyMap<string, Template>;
  readonly languages: ReadonlyMap<string, Language>;
};
