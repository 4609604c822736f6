import type { Definition } from '#libs/grpc/rpc.ts';
import { AuthServiceDefinition } from '#proto/drydock/v1/auth.ts';
import { ExecutionServiceDefinition } from '#proto/drydock/v1/execution.ts';
import { FileServiceDefinition } from '#proto/drydock/v1/file.ts';
import { ProcessServiceDefinition } from '#proto/drydock/v1/process.ts';
import { SandboxServiceDefinition } from '#proto/drydock/v1/sandbox.ts';
import { TemplateServiceDefinition } from '#proto/drydock/v1/template.ts';

/** Who does the work of a method; `executor` is the one that holds the request's sandbox. */
export type Owner = 'auth' | 'session' | 'scheduler' | 'executor';

/** What a credential must hold; nothing where any credential will do. */
export type Scope = 'sandboxes' | 'executions' | undefined;

export type PublicService = {
  definition: Definition;
  scope: Scope;
  /** The owner of every method that `others` does not name. */
  owner: Owner;
  others?: Record<string, Owner>;
};

/** The public API. Auth checks the scopes of its own methods, which depend on what is asked. */
export const PUBLIC_SERVICES: PublicService[] = [
  { definition: AuthServiceDefinition, scope: undefined, owner: 'auth' },
  { definition: TemplateServiceDefinition, scope: undefined, owner: 'session' },
  {
    definition: SandboxServiceDefinition,
    scope: 'sandboxes',
    owner: 'scheduler',
    others: { getSandbox: 'session', listSandboxes: 'session' },
  },
  { definition: ProcessServiceDefinition, scope: 'sandboxes', owner: 'executor' },
  { definition: FileServiceDefinition, scope: 'sandboxes', owner: 'executor' },
  {
    definition: ExecutionServiceDefinition,
    scope: 'executions',
    owner: 'scheduler',
    others: { getExecution: 'session', listExecutions: 'session' },
  },
];
