import { DrydockError, invalidField } from '#libs/errors.ts';
import type { Call, Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import type { FileInfo as AgentFileInfo, WriteRequest } from '#proto/drydock/agent/v1/agent.ts';
import type {
  FileInfo,
  FileInfo_Type,
  FileServiceDefinition,
  ListFilesRequest,
  ListFilesResponse,
  ReadFileRequest,
  ReadFileResponse,
  WriteFileRequest,
  WriteFileResponse,
} from '#proto/drydock/v1/file.ts';
import { fromAgent } from '../agent/errors.ts';
import type { Sandbox, Sandboxes } from '../sandboxes/sandboxes.ts';
import { checkPath } from './paths.ts';

const AGENT_DEADLINE_MS = 30_000;
const MAX_ENTRIES = 1000;
const MAX_PIECE_BYTES = 1024 * 1024;
const MAX_MODE = 0o777;
const NOTHING = Buffer.alloc(0);

const TYPES: Record<AgentFileInfo['type'], FileInfo_Type> = {
  FILE_TYPE_UNSPECIFIED: 'TYPE_UNSPECIFIED',
  FILE_TYPE_FILE: 'FILE',
  FILE_TYPE_DIRECTORY: 'DIRECTORY',
  FILE_TYPE_SYMLINK: 'SYMLINK',
  FILE_TYPE_OTHER: 'OTHER',
};

export function createFiles(sandboxes: Sandboxes): Rpc<FileServiceDefinition> {
  const find = (sandboxId: string, call: Call): Sandbox => sandboxes.get(sandboxId, callerOf(call).organizationId);
  return {
    readFile: (request, call) => readFile(find(request.sandboxId, call), request, call),
    writeFile: (requests, call) => writeFile(requests, call, (sandboxId) => find(sandboxId, call)),
    async statFile({ sandboxId, path }, call) {
      const { file } = await ask(find(sandboxId, call), path, call, (files, options) => files.stat({ path }, options));
      return { file: toFile(file) };
    },
    listFiles: (request, call) => listFiles(find(request.sandboxId, call), request, call),
    async makeDirectory({ sandboxId, path }, call) {
      const sandbox = find(sandboxId, call);
      const { file } = await ask(sandbox, path, call, (files, options) => files.makeDirectory({ path }, options));
      return { file: toFile(file) };
    },
    async moveFile({ sandboxId, path, destination }, call) {
      checkPath('destination', destination);
      const sandbox = find(sandboxId, call);
      const { file } = await ask(sandbox, path, call, (files, options) => files.move({ path, destination }, options));
      return { file: toFile(file) };
    },
    async removeFile({ sandboxId, path, recursive }, call) {
      await ask(find(sandboxId, call), path, call, (files, options) => files.remove({ path, recursive }, options));
      return {};
    },
  };
}

type AgentFiles = Sandbox['instance']['link']['files'];

/** Makes one unary call to the agent. */
async function ask<T>(
  { instance, lifetime }: Sandbox,
  path: string,
  call: Call,
  work: (files: AgentFiles, options: { signal: AbortSignal; deadlineMs: number }) => Promise<T>,
): Promise<T> {
  checkPath('path', path);
  try {
    const signal = AbortSignal.any([call.signal, lifetime.signal]);
    return await work(instance.link.files, { signal, deadlineMs: AGENT_DEADLINE_MS });
  } catch (error) {
    throw await fromAgent(error, lifetime.signal);
  }
}

async function* readFile(
  { instance, lifetime }: Sandbox,
  { path, offsetBytes, lengthBytes }: ReadFileRequest,
  call: Call,
): AsyncIterable<ReadFileResponse> {
  checkPath('path', path);
  if (offsetBytes < 0) throw invalidField('offsetBytes', 'must not be negative');
  if (lengthBytes !== undefined && lengthBytes <= 0) throw invalidField('lengthBytes', 'must be above 0');
  try {
    const request = { path, offsetBytes, lengthBytes: lengthBytes ?? 0 };
    const signal = AbortSignal.any([call.signal, lifetime.signal]);
    let left = lengthBytes ?? Number.POSITIVE_INFINITY;
    for await (const { data } of instance.link.files.read(request, { signal })) {
      // A hostile agent may send more than was asked for.
      yield { data: data.subarray(0, left) };
      left -= data.length;
      if (left <= 0) return;
    }
  } catch (error) {
    throw await fromAgent(error, lifetime.signal);
  }
}

async function writeFile(
  requests: AsyncIterable<WriteFileRequest>,
  call: Call,
  find: (sandboxId: string) => Sandbox,
): Promise<WriteFileResponse> {
  const messages = requests[Symbol.asyncIterator]();
  const { value: first, done } = await messages.next();
  if (done) throw new DrydockError('MALFORMED_REQUEST', 'the first message carries sandbox_id and path');
  const { instance, lifetime } = find(first.sandboxId);
  checkPath('path', first.path);
  if (first.mode !== undefined && !(first.mode >= 0 && first.mode <= MAX_MODE))
    throw invalidField('mode', 'must be from 0 to 511 (0777)');
  try {
    const { file } = await instance.link.files.write(toAgent(first, messages), {
      signal: AbortSignal.any([call.signal, lifetime.signal]),
    });
    return { file: toFile(file) };
  } catch (error) {
    throw await fromAgent(error, lifetime.signal);
  }
}

async function listFiles(
  sandbox: Sandbox,
  { path, pageSize, pageToken }: ListFilesRequest,
  call: Call,
): Promise<ListFilesResponse> {
  if (pageSize < 0 || pageSize > MAX_ENTRIES) throw invalidField('pageSize', `must be from 0 to ${MAX_ENTRIES}`);
  const limit = pageSize || MAX_ENTRIES;
  const request = { path: path || '.', after: Buffer.from(pageToken, 'base64url').toString(), limit };
  const { files, more } = await ask(sandbox, request.path, call, (agent, options) =>
    agent.listDirectory(request, options),
  );
  const last = files.at(-1)?.name ?? '';
  return {
    files: files.slice(0, limit).map((file) => toFile(file)),
    nextPageToken: more ? Buffer.from(last).toString('base64url') : '',
  };
}

async function* toAgent(first: WriteFileRequest, rest: AsyncIterator<WriteFileRequest>): AsyncIterable<WriteRequest> {
  checkPiece(first.data);
  yield { path: first.path, mode: first.mode ?? 0, data: first.data, complete: false };
  for (let next = await rest.next(); !next.done; next = await rest.next()) {
    checkPiece(next.value.data);
    yield { path: '', mode: 0, data: next.value.data, complete: false };
  }
  yield { path: '', mode: 0, data: NOTHING, complete: true };
}

function checkPiece(data: Uint8Array): void {
  if (data.length > MAX_PIECE_BYTES) throw invalidField('data', 'is larger than 1 MiB; send it in several messages');
}

function toFile(file: AgentFileInfo | undefined): FileInfo {
  return {
    name: file?.name ?? '',
    path: file?.path ?? '',
    type: TYPES[file?.type ?? 'FILE_TYPE_UNSPECIFIED'] ?? 'TYPE_UNSPECIFIED',
    sizeBytes: file?.sizeBytes ?? 0,
    mode: file?.mode ?? 0,
    modifyTime: timeOf(file?.modifyUnixMicroseconds ?? 0),
    linkTarget: file?.linkTarget ?? '',
  };
}

/** Whole seconds before 1970: ts-proto would write the rest as a negative number, which is no part of a time. */
function timeOf(microseconds: number): Date {
  return new Date(microseconds < 0 ? Math.floor(microseconds / 1e6) * 1000 : microseconds / 1000);
}
