export type { BlobInfo, Blobs } from './blobs.ts';
export { Drydock, type DrydockOptions } from './client.ts';
export {
  type CommandEvent,
  CommandExitError,
  type CommandHandle,
  type CommandResult,
} from './command-handle.ts';
export type { Command, CommandInfo, Commands, RunOptions, StartOptions } from './commands.ts';
export type { CallOptions } from './connection.ts';
export type { Duration } from './durations.ts';
export {
  ClientClosedError,
  ConflictError,
  ConnectionLostError,
  DrydockError,
  type FieldViolation,
  InvalidArgumentError,
  NoCapacityError,
  NotFoundError,
  OutputLostError,
  PermissionDeniedError,
  QuotaExceededError,
  type Reason,
  SandboxNotRunningError,
  TimeoutError,
  UnauthenticatedError,
  UnavailableError,
} from './errors.ts';
export type { Executions, Job, RunEvent, Submission } from './executions.ts';
export type { FileContent, FileInfo, Files, ReadOptions, WriteOptions } from './files.ts';
export type { ResourceLimits, ResourceUsage } from './options.ts';
export type { Paged } from './paged.ts';
export type { Offset, OutputEvent } from './process-events.ts';
export type {
  BlobFile,
  CaseResult,
  Checker,
  CompileResult,
  Execution,
  GroupResult,
  Interactor,
  Program,
  SourceFiles,
  TestCase,
  TestGroup,
} from './programs.ts';
export type { Pty, PtyOptions, Terminal } from './pty.ts';
export type {
  ApiKey,
  ApiKeys,
  Language,
  Organization,
  Organizations,
  QuotaOptions,
  Template,
  Templates,
  Webhook,
  WebhookDelivery,
  Webhooks,
} from './resources.ts';
export {
  type CreateOptions,
  Sandbox,
  type Sandboxes,
  type SandboxFilter,
  type SandboxInfo,
  type SandboxState,
  type UpdateOptions,
} from './sandbox.ts';
export type { NewTestSet, TestSet, TestSets } from './test-sets.ts';
export { VERSION } from './version.ts';
