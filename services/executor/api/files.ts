import { DrydockError, invalidField } from '#libs/errors.ts';
import type { Call, Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import type { FileInfo as AgentFileInfo, WriteRequest } from '#proto/drydock/agent/v1/agent.ts';
import type { FileInfo, FileInfo_Type, FileServiceDefinition, WriteFileRequest } from '#proto/drydock/v1/file.ts';
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

  /** Asks the agent for one thing. */
  const ask = async <T>(
    call: Call,
    { sandboxId, path }: { sandboxId: string; path: string },
    work: (
      files: Sandbox['instance']['link']['files'],
      options: { signal: AbortSignal; deadlineMs: number },
    ) => Promise<T>,
  ): Promise<T> => {
    const { instance, ended } = find(sandboxId, call);
    checkPath('path', path);
    try {
      const signal = AbortSignal.any([call.signal, ended.signal]);
      return await work(instance.link.files, { signal, deadlineMs: AGENT_DEADLINE_MS });
    } catch (error) {
      throw await fromAgent(error, ended.signal);
    }
  };

  return {
    async *readFile({ sandboxId, path, offsetBytes, lengthBytes }, call) {
      const { instance, ended } = find(sandboxId, call);
      checkPath('path', path);
      if (offsetBytes < 0) throw invalidField('offsetBytes', 'must not be negative');
      if (lengthBytes !== undefined && lengthBytes <= 0) throw invalidField('lengthBytes', 'must be above 0');
      try {
        const request = { path, offsetBytes, lengthBytes: lengthBytes ?? 0 };
        const signal = AbortSignal.any([call.signal, ended.signal]);
        let left = lengthBytes ?? Number.POSITIVE_INFINITY;
        for await (const { data } of instance.link.files.read(request, { signal })) {
          // Nobody gets more than was asked for, whatever is in the sandbox.
          yield { data: data.subarray(0, left) };
          left -= data.length;
          if (left <= 0) return;
        }
      } catch (error) {
        throw await fromAgent(error, ended.signal);
      }
    },

    async writeFile(requests, call) {
      const messages = requests[Symbol.asyncIterator]();
      const { value: first, done } = await messages.next();
      if (done) throw new DrydockError('MALFORMED_REQUEST', 'the first message carries sandbox_id and path');
      const { instance, ended } = find(first.sandboxId, call);
      checkPath('path', first.path);
      if (first.mode !== undefined && !(first.mode >= 0 && first.mode <= MAX_MODE))
        throw invalidField('mode', 'must be from 0 to 511 (0777)');
      try {
        const { file } = await instance.link.files.write(toAgent(first, messages), {
          signal: AbortSignal.any([call.signal, ended.signal]),
        });
        return { file: toFile(file) };
      } catch (error) {
        throw await fromAgent(error, ended.signal);
      }
    },

    async statFile(request, call) {
      const { file } = await ask(call, request, (files, options) => files.stat({ path: request.path }, options));
      return { file: toFile(file) };
    },

    async listFiles({ sandboxId, path, pageSize, pageToken }, call) {
      if (pageSize < 0 || pageSize > MAX_ENTRIES) throw invalidField('pageSize', `must be from 0 to ${MAX_ENTRIES}`);
      const limit = pageSize || MAX_ENTRIES;
      const after = Buffer.from(pageToken, 'base64url').toString();
      const target = { sandboxId, path: path || '.' };
      const { files, more } = await ask(call, target, (agent, options) =>
        agent.listDirectory({ path: target.path, after, limit }, options),
      );
      const last = files.at(-1)?.name ?? '';
      return {
        files: files.slice(0, limit).map((file) => toFile(file)),
        nextPageToken: more ? Buffer.from(last).toString('base64url') : '',
      };
    },

    async makeDirectory(request, call) {
      const { file } = await ask(call, request, (files, options) =>
        files.makeDirectory({ path: request.path }, options),
      );
      return { file: toFile(file) };
    },

    async moveFile(request, call) {
      const { path, destination } = request;
      checkPath('destination', destination);
      const { file } = await ask(call, request, (files, options) => files.move({ path, destination }, options));
      return { file: toFile(file) };
    },

    async removeFile(request, call) {
      const { path, recursive } = request;
      await ask(call, request, (files, options) => files.remove({ path, recursive }, options));
      return {};
    },
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
