import type { JsonObject } from '@bufbuild/protobuf';
import type { AuthServiceDefinition } from '#proto/drydock/v1/auth.ts';
import type { BlobServiceDefinition } from '#proto/drydock/v1/blob.ts';
import type { ExecutionServiceDefinition } from '#proto/drydock/v1/execution.ts';
import type { FileServiceDefinition } from '#proto/drydock/v1/file.ts';
import type { ProcessServiceDefinition } from '#proto/drydock/v1/process.ts';
import type { SandboxServiceDefinition } from '#proto/drydock/v1/sandbox.ts';
import type { TemplateServiceDefinition } from '#proto/drydock/v1/template.ts';
import type { TestSetServiceDefinition } from '#proto/drydock/v1/test_set.ts';
import type { WebhookServiceDefinition } from '#proto/drydock/v1/webhook.ts';
import type { Scope } from '../../../services/gateway/owners.ts';
import { zipOf } from '../../support/zip.ts';
import { hashOf, type Ids } from './belongings.ts';

type MethodKey = keyof (AuthServiceDefinition['methods'] &
  BlobServiceDefinition['methods'] &
  ExecutionServiceDefinition['methods'] &
  FileServiceDefinition['methods'] &
  ProcessServiceDefinition['methods'] &
  SandboxServiceDefinition['methods'] &
  TemplateServiceDefinition['methods'] &
  TestSetServiceDefinition['methods'] &
  WebhookServiceDefinition['methods']);

/** Of the organisations that CreateOrganization makes. */
export const MADE_NAME = 'made by the authorization matrix';

/** What PutBlob sends, and what ImportTestSet does. */
const MADE_BYTES = Buffer.from('made');
const PACKAGE = zipOf({ 'problem.yaml': 'name: made', 'data/secret/1.in': '1', 'data/secret/1.ans': '2' });

const program = { language: 'python', source: 'print(1)' };
const one = (...names: (keyof Ids)[]) => {
  return (ids: Ids): JsonObject => Object.fromEntries(names.map((name) => [name, ids[name]]));
};
const file = (path: string, more: JsonObject = {}) => {
  return ({ sandboxId }: Ids): JsonObject => ({ sandboxId, path, ...more });
};
const process = (more: JsonObject) => {
  return ({ sandboxId, processId }: Ids): JsonObject => ({ sandboxId, processId, ...more });
};
const always = (request: JsonObject) => () => request;

/**
 * The scope that a method needs, a request of it as proto3 JSON that succeeds for the owner of the ids, and the fields of it that name
 * what is there already. Default: those that are called like ids.
 */
export type Row = [scope: Scope, request: (ids: Ids) => JsonObject, idFields?: readonly (keyof Ids)[]];

/** Every public method. In this order each request succeeds after those before it: what ends something comes last. */
export const ROWS: Record<MethodKey, Row> = {
  exchangeToken: ['any', always({})],
  createOrganization: ['operator', always({ displayName: MADE_NAME })],
  getOrganization: ['any', one('organizationId')],
  listOrganizations: ['operator', always({ pageSize: 1 })],
  updateOrganization: ['operator', ({ organizationId }) => ({ organizationId, displayName: 'renamed' })],
  createApiKey: ['keys', always({ displayName: 'made' })],
  listApiKeys: ['keys', always({})],

  getTemplate: ['any', always({ templateId: 'python' })],
  listTemplates: ['any', always({})],
  listLanguages: ['any', always({})],

  createSandbox: ['sandboxes', always({ template: 'python' })],
  getSandbox: ['sandboxes', one('sandboxId')],
  listSandboxes: ['sandboxes', always({})],
  updateSandbox: ['sandboxes', ({ sandboxId }) => ({ sandboxId, lifetime: '300s' })],

  startProcess: ['sandboxes', ({ sandboxId }) => ({ sandboxId, command: ['true'] })],
  listProcesses: ['sandboxes', one('sandboxId')],
  writeProcessInput: ['sandboxes', process({ text: 'x' })],
  resizeProcess: ['sandboxes', process({ terminal: { columns: 100, rows: 30 } })],
  signalProcess: ['sandboxes', process({ signal: 'SIGKILL' })],
  // Ends by itself, since the process has.
  connectProcess: ['sandboxes', one('sandboxId', 'processId')],

  writeFile: ['sandboxes', file('a')],
  readFile: ['sandboxes', file('a')],
  statFile: ['sandboxes', file('a')],
  listFiles: ['sandboxes', one('sandboxId')],
  makeDirectory: ['sandboxes', file('directory')],
  moveFile: ['sandboxes', file('a', { destination: 'b' })],
  removeFile: ['sandboxes', file('b')],

  runCode: ['executions', always(program)],
  streamCode: ['executions', always(program)],
  submitExecution: ['executions', always(program)],
  batchSubmitExecutions: ['executions', always({ requests: [program] })],
  getExecution: ['executions', one('executionId')],
  listExecutions: ['executions', always({})],
  cancelExecution: ['executions', one('executionId')],
  watchExecution: ['executions', one('executionId')],
  readExecutionOutput: ['executions', ({ executionId }) => ({ executionId, stream: 'stdout' })],

  putBlob: ['executions', () => ({ sha256: hashOf(MADE_BYTES), data: MADE_BYTES.toString('base64') }), []],
  readBlob: ['executions', one('sha256')],
  statBlobs: ['executions', ({ sha256 }) => ({ sha256s: [sha256] })],

  createTestSet: ['executions', always({ name: 'made', cases: [{ stdin: 'x' }] })],
  getTestSet: ['executions', one('testSetId')],
  listTestSets: ['executions', always({})],
  importTestSet: ['executions', always({ data: PACKAGE.toString('base64') })],

  // Nobody has this name, so nothing is sent.
  createWebhook: ['executions', always({ url: 'https://nobody.invalid/' })],
  getWebhook: ['executions', one('webhookId')],
  listWebhooks: ['executions', always({})],
  rotateWebhookSecret: ['executions', one('webhookId')],
  listWebhookDeliveries: ['executions', one('webhookId')],
  redeliverWebhook: ['executions', one('webhookId', 'deliveryId')],

  deleteTestSet: ['executions', one('testSetId')],
  deleteWebhook: ['executions', one('webhookId')],
  deleteSandbox: ['sandboxes', one('sandboxId')],
  revokeApiKey: ['keys', one('apiKeyId')],
  deleteOrganization: ['operator', one('organizationId')],
};
