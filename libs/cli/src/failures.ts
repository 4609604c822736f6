/** The command line is wrong, in a way that only the command itself can tell. Exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** The command cannot go on. `hint` says what to do. Exit code 125. */
export class Failure extends Error {
  override name = 'Failure';
  readonly hint: string | undefined;

  constructor(message: string, hint?: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

/** The user, or the system, asked the process to end. */
export class Interrupted extends Error {
  override name = 'Interrupted';
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`ended by ${signal}`);
    this.signal = signal;
  }
}

/** What the output was piped to has ended, such as `head`. */
export class OutputClosed extends Error {
  override name = 'OutputClosed';
}
