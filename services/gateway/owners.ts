import type { Definition, MethodDefinition } from '#libs/grpc/rpc.ts';
import { AuthServiceDefinition } from '#proto/drydock/v1/auth.ts';
import { BlobServiceDefinition } from '#proto/drydock/v1/blob.ts';
import { ExecutionServiceDefinition } from '#proto/drydock/v1/execution.ts';
import { FileServiceDefinition } from '#proto/drydock/v1/file.ts';
import { ProcessServiceDefinition } from '#proto/drydock/v1/process.ts';
import { SandboxServiceDefinition } from '#proto/drydock/v1/sandbox.ts';
import { TemplateServiceDefinition } from '#proto/drydock/v1/template.ts';
import { TestSetServiceDefinition } from '#proto/drydock/v1/test_set.ts';
import { WebhookServiceDefinition } from '#proto/drydock/v1/webhook.ts';

/** Who answers a method. `executor` is the one that holds the sandbox which the request names. */
export type Owner = 'auth' | 'session' | 'scheduler' | 'executor';
/** What a credential must allow; `any` is satisfied by every valid credential. */
export type Scope = 'sandboxes' | 'executions' | 'keys' | 'operator' | 'any';

export type PublicMethod = {
  service: Definition;
  /** The method's key in the service definition, such as `createSandbox`. */
  key: string;
  method: MethodDefinition;
  owner: Owner;
  scope: Scope;
};

type Entry = readonly [Owner, Scope];

/** Every method of the public API, who owns it and which scope it needs. */
export const PUBLIC_METHODS: readonly PublicMethod[] = [
  ...methods(AuthServiceDefinition, {
    exchangeToken: ['auth', 'any'],
    createOrganization: ['auth', 'operator'],
    getOrganization: ['auth', 'any'],
    listOrganizations: ['auth', 'operator'],
    updateOrganization: ['auth', 'operator'],
    deleteOrganization: ['auth', 'operator'],
    createApiKey: ['auth', 'keys'],
    listApiKeys: ['auth', 'keys'],
    revokeApiKey: ['auth', 'keys'],
  }),
  ...methods(TemplateServiceDefinition, {
    getTemplate: ['session', 'any'],
    listTemplates: ['session', 'any'],
    listLanguages: ['session', 'any'],
  }),
  ...methods(SandboxServiceDefinition, {
    createSandbox: ['scheduler', 'sandboxes'],
    getSandbox: ['session', 'sandboxes'],
    listSandboxes: ['session', 'sandboxes'],
    updateSandbox: ['scheduler', 'sandboxes'],
    deleteSandbox: ['scheduler', 'sandboxes'],
  }),
  ...methods(ProcessServiceDefinition, {
    startProcess: ['executor', 'sandboxes'],
    connectProcess: ['executor', 'sandboxes'],
    listProcesses: ['executor', 'sandboxes'],
    writeProcessInput: ['executor', 'sandboxes'],
    signalProcess: ['executor', 'sandboxes'],
    resizeProcess: ['executor', 'sandboxes'],
  }),
  ...methods(FileServiceDefinition, {
    readFile: ['executor', 'sandboxes'],
    writeFile: ['executor', 'sandboxes'],
    statFile: ['executor', 'sandboxes'],
    listFiles: ['executor', 'sandboxes'],
    makeDirectory: ['executor', 'sandboxes'],
    moveFile: ['executor', 'sandboxes'],
    removeFile: ['executor', 'sandboxes'],
  }),
  ...methods(ExecutionServiceDefinition, {
    runCode: ['scheduler', 'executions'],
    streamCode: ['scheduler', 'executions'],
    submitExecution: ['session', 'executions'],
    batchSubmitExecutions: ['session', 'executions'],
    getExecution: ['session', 'executions'],
    listExecutions: ['session', 'executions'],
    cancelExecution: ['session', 'executions'],
    watchExecution: ['session', 'executions'],
    readExecutionOutput: ['session', 'executions'],
  }),
  ...methods(BlobServiceDefinition, {
    putBlob: ['session', 'executions'],
    readBlob: ['session', 'executions'],
    statBlobs: ['session', 'executions'],
  }),
  ...methods(TestSetServiceDefinition, {
    createTestSet: ['session', 'executions'],
    getTestSet: ['session', 'executions'],
    listTestSets: ['session', 'executions'],
    deleteTestSet: ['session', 'executions'],
    importTestSet: ['session', 'executions'],
  }),
  ...methods(WebhookServiceDefinition, {
    createWebhook: ['session', 'executions'],
    getWebhook: ['session', 'executions'],
    listWebhooks: ['session', 'executions'],
    deleteWebhook: ['session', 'executions'],
    rotateWebhookSecret: ['session', 'executions'],
    listWebhookDeliveries: ['session', 'executions'],
    redeliverWebhook: ['session', 'executions'],
  }),
];

// A method that the proto has and the table lacks does not compile.
function methods<D extends Definition>(
  service: D,
  entries: Record<keyof D['methods'] & string, Entry>,
): PublicMethod[] {
  return Object.entries<Entry>(entries).map(([key, [owner, scope]]) => ({
    service,
    key,
    method: service.methods[key]!,
    owner,
    scope,
  }));
}
