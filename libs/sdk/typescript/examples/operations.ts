// Every operation of the API, in an order in which they run from top to bottom. Each sample is shown beside its operation in the
// gateway's reference. Needs the key of an operator.
import { readFile, writeFile } from 'node:fs/promises';
import { Drydock, Sandbox } from '@drydock/sdk';

// sample AuthService_ExchangeToken
// A client exchanges its key for tokens by itself, and renews them.
const drydock = new Drydock();
// end

// sample TemplateService_ListTemplates
for await (const template of drydock.templates.list()) console.log(template.id);
// end

// sample TemplateService_GetTemplate
const { defaultLimits } = await drydock.templates.get('python');
console.log(defaultLimits.memoryBytes);
// end

// sample TemplateService_ListLanguages
for await (const { name } of drydock.templates.languages()) console.log(name);
// end

// sample ExecutionService_RunCode
const { verdict, stdout } = await drydock.run('python', 'print(6 * 7)');
console.log(verdict, stdout);
// end

// sample ExecutionService_StreamCode
const program = { language: 'python', source: 'for i in range(3): print(i, flush=True)' };
for await (const event of drydock.executions.stream(program)) {
  if (event.type === 'stdout') process.stdout.write(event.text);
}
// end

// sample ExecutionService_SubmitExecution
const job = await drydock.executions.submit({
  language: 'python',
  source: 'print(input())',
  testCases: [{ stdin: '42', expectedOutput: '42' }],
});
const judged = await job.wait();
console.log(judged.verdict, judged.cases);
// end

// sample ExecutionService_BatchSubmitExecutions
const jobs = await drydock.executions.batch([1, 2].map((n) => ({ language: 'python', source: `print(${n})` })));
for (const each of jobs) if (!(each instanceof Error)) console.log((await each.wait()).verdict);
// end

// sample ExecutionService_WatchExecution
for await (const { state } of job.watch()) console.log(state);
// end

// sample ExecutionService_GetExecution
console.log((await drydock.executions.get(job.id)).state);
// end

// sample ExecutionService_ListExecutions
for await (const execution of drydock.executions.list({ states: ['FINISHED'] })) console.log(execution.id);
// end

const finished = await drydock.executions.submit({ language: 'python', source: 'print(42)' });
await finished.wait();
// sample ExecutionService_ReadExecutionOutput
await writeFile('output', await finished.output('stdout'));
// end

const endless = await drydock.executions.submit({ language: 'python', source: 'import time; time.sleep(60)' });
// sample ExecutionService_CancelExecution
await endless.cancel();
// end

// sample SandboxService_CreateSandbox
const sandbox = await Sandbox.create('python', { lifetime: '10m', metadata: { user: 'ada' } });
// end

// sample SandboxService_GetSandbox
const same = await Sandbox.connect(sandbox.id);
console.log((await same.getInfo()).state);
// end

// sample SandboxService_ListSandboxes
for await (const { id } of Sandbox.list({ metadata: { user: 'ada' } })) console.log(id);
// end

// sample SandboxService_UpdateSandbox
await sandbox.update({ lifetime: '20m' });
// end

// sample FileService_MakeDirectory
await sandbox.files.makeDir('src');
// end

// sample FileService_WriteFile
await sandbox.files.write('src/main.py', 'print(input())');
// end

// sample FileService_ReadFile
console.log(await sandbox.files.read('src/main.py'));
// end

// sample FileService_StatFile
console.log((await sandbox.files.getInfo('src/main.py')).sizeBytes);
// end

// sample FileService_ListFiles
for await (const { path } of sandbox.files.list('src')) console.log(path);
// end

// sample FileService_ListFiles_2
for await (const { path } of sandbox.files.list()) console.log(path);
// end

// sample FileService_MoveFile
await sandbox.files.rename('src/main.py', 'main.py');
// end

// sample ProcessService_StartProcess
const result = await sandbox.commands.run(['python3', '-c', 'print(6 * 7)']);
console.log(result.exitCode, result.stdout);
// end

const shell = await sandbox.commands.start('cat; sleep 60', { openStdin: true });
// sample ProcessService_ListProcesses
for (const { id } of await sandbox.commands.list()) console.log(id);
// end

// sample ProcessService_WriteProcessInput
await shell.stdin.write('hello\n');
await shell.stdin.close();
// end

// sample ProcessService_ConnectProcess
const joined = await sandbox.commands.connect(shell.id);
for await (const event of joined) {
  if (event.type === 'stdout') break;
}
// end

// sample ProcessService_SignalProcess
await shell.kill('SIGTERM');
// end

// sample ProcessService_ResizeProcess
const terminal = await sandbox.pty.create({ rows: 24, columns: 80, onData: (data) => process.stdout.write(data) });
await terminal.resize({ rows: 50, columns: 120 });
await terminal.kill();
// end

// sample FileService_RemoveFile
await sandbox.files.remove('src', { recursive: true });
// end

// sample SandboxService_DeleteSandbox
await sandbox.kill();
// end

// sample BlobService_PutBlob
const { sha256 } = await drydock.blobs.put('Ada\n');
// end

// sample BlobService_ReadBlob
console.log(Buffer.from(await drydock.blobs.read(sha256)).toString());
// end

// sample BlobService_StatBlobs
const { missing } = await drydock.blobs.stat([sha256]);
console.log(missing.length);
// end

// sample TestSetService_CreateTestSet
const testSet = await drydock.testSets.create({
  name: 'greeting',
  cases: [{ stdinBlob: sha256, expectedOutput: 'Hello Ada' }],
});
const greeting = { language: 'python', source: "print('Hello', input())", testSet: testSet.id };
console.log((await drydock.executions.run(greeting)).verdict);
// end

// sample TestSetService_GetTestSet
console.log((await drydock.testSets.get(testSet.id)).caseCount);
// end

// sample TestSetService_ListTestSets
for await (const { version } of drydock.testSets.list({ name: 'greeting' })) console.log(version);
// end

// sample TestSetService_DeleteTestSet
await drydock.testSets.delete(testSet.id);
// end

// An archive of the empty files 1.in and 1.ans.
await writeFile(
  'silence.zip',
  'UEsDBBQAAAAAAAAAIQAAAAAAAAAAAAAAAAAEAAAAMS5pblBLAwQUAAAAAAAAACEAAAAAAAAAAAAAAAAABQAAADEuYW5zUEsBAhQDFAAAAAAAAAAhAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAIABAAAAADEuaW5QSwECFAMUAAAAAAAAACEAAAAAAAAAAAAAAAAABQAAAAAAAAAAAAAAgAEiAAAAMS5hbnNQSwUGAAAAAAIAAgBlAAAARQAAAAAA',
  'base64',
);
// sample TestSetService_ImportTestSet
const imported = await drydock.testSets.import(await readFile('silence.zip'), { name: 'silence' });
console.log(imported.testSet.caseCount, imported.notes);
// end

// sample AuthService_CreateApiKey
const { apiKey, secret } = await drydock.apiKeys.create('grader', { scopes: ['executions'] });
console.log(secret.length);
// end

// sample AuthService_ListApiKeys
for await (const { displayName } of drydock.apiKeys.list()) console.log(displayName);
// end

// sample AuthService_RevokeApiKey
await drydock.apiKeys.revoke(apiKey.id);
// end

// sample WebhookService_CreateWebhook
const { webhook } = await drydock.webhooks.create('https://example.com/drydock');
// end

// sample WebhookService_GetWebhook
console.log((await drydock.webhooks.get(webhook.id)).url);
// end

// sample WebhookService_ListWebhooks
for await (const { url } of drydock.webhooks.list()) console.log(url);
// end

// sample WebhookService_RotateWebhookSecret
const rotated = await drydock.webhooks.rotateSecret(webhook.id);
console.log(rotated.secret.length);
// end

await (await drydock.executions.submit({ language: 'python', source: 'print(42)' })).wait();
let deliveries = await drydock.webhooks.deliveries(webhook.id).toArray();
while (deliveries.length === 0) deliveries = await drydock.webhooks.deliveries(webhook.id).toArray();
// sample WebhookService_ListWebhookDeliveries
for await (const { id } of drydock.webhooks.deliveries(webhook.id)) console.log(id);
// end

const deliveryId = deliveries[0]!.id;
// sample WebhookService_RedeliverWebhook
await drydock.webhooks.redeliver(webhook.id, deliveryId);
// end

// sample WebhookService_DeleteWebhook
await drydock.webhooks.delete(webhook.id);
// end

// sample AuthService_CreateOrganization
const { organization } = await drydock.organizations.create('Ada school', { quota: { concurrentSandboxes: 10 } });
// end

// sample AuthService_GetOrganization
console.log((await drydock.organizations.get(organization.id)).displayName);
// end

// sample AuthService_ListOrganizations
for await (const { displayName } of drydock.organizations.list()) console.log(displayName);
// end

// sample AuthService_UpdateOrganization
await drydock.organizations.update(organization.id, { displayName: 'Ada and Grace' });
// end

// sample AuthService_DeleteOrganization
await drydock.organizations.delete(organization.id);
// end
