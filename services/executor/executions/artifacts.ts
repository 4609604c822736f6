import { createHash } from 'node:crypto';
import type { Logger } from '#libs/log.ts';
import { counter } from '#libs/telemetry.ts';
import { Exited } from '#proto/drydock/agent/v1/agent.ts';
import type { ExecutionStep } from '#proto/drydock/internal/v1/spec.ts';
import { type Data, type File, piecesOf } from './data.ts';
import { type DiskCache, type Entry, HASH_INSIDE, openDiskCache } from './disk-cache.ts';
import { endOf, runStep } from './step.ts';
import type { StepEnd } from './verdict.ts';
import type { Workspace } from './workspaces/workspace.ts';

const MAX_ARTIFACT_BYTES = 64 * 1024 * 1024;
const MAX_HEADER_BYTES = 16 * 1024 * 1024;
const LENGTH_BYTES = 4;
const PACK = ['tar', '-cf', '-', '.'];
const UNPACK = ['tar', '-xpf', '-'];

const artifacts = counter('executor_compiles_total', 'Compile steps, by what the cache had for them.', ['result']);

/** What compile steps of an organisation made, kept by all that they depend on. */
export type Artifacts = {
  /**
   * Puts what an earlier compile step made of these sources into a fresh workspace, and answers with the end of that step. Undefined
   * if nothing is kept. Throws ArtifactFailure if the workspace is of no further use.
   */
  restore(workspace: Workspace, made: Made, signal: AbortSignal): Promise<StepEnd | undefined>;
  /** Keeps what a compile step has just made in a workspace. A failure is logged, and otherwise without effect. */
  keep(workspace: Workspace, made: Made, end: StepEnd, signal: AbortSignal): Promise<void>;
  /** Removes what is kept for a deleted organisation. */
  forget(organizationId: string): Promise<void>;
};

/** An artifact could not be restored, and may have left parts of it behind. */
export class ArtifactFailure extends Error {}

/** All that decides what a compile step makes, but for the image, which the workspace has. */
export type Made = { organizationId: string; files: File[]; compile: ExecutionStep };

/** The beginning of the names of an organisation's entries. */
function prefixOf(organizationId: string): string {
  return `artifact-${createHash('sha256').update(organizationId).digest('hex').slice(0, 32)}-`;
}

/** Opens a directory for them, of at most this many bytes; with 0 nothing is kept. */
export async function openArtifacts(directory: string, maxBytes: number, log: Logger): Promise<Artifacts> {
  return createArtifacts(
    await openDiskCache({ cache: 'artifacts', directory, maxBytes, verifier: HASH_INSIDE, log }),
    log,
  );
}

function createArtifacts(cache: DiskCache, log: Logger): Artifacts {
  return {
    forget: (organizationId) => cache.remove(prefixOf(organizationId)),

    async restore(workspace, made, signal) {
      const name = await nameOf(workspace, made);
      await using entry = name ? await cache.find(name) : undefined;
      if (!entry) return undefined;
      try {
        const { end, start } = await readHeader(entry);
        // It makes the directory.
        await workspace.write([], signal);
        const options = { stdin: entry.read(start), signal };
        const { exited } = await endOf(runStep(workspace, stepOf(made.compile, UNPACK), options));
        if (!hasEndedWell(exited)) throw new Error('unpacking it failed');
        artifacts.inc({ result: 'cached' });
        return end;
      } catch (error) {
        if (signal.aborted) throw error;
        throw new ArtifactFailure('an artifact could not be restored', { cause: error });
      }
    },

    async keep(workspace, made, end, signal) {
      artifacts.inc({ result: 'run' });
      try {
        const name = await nameOf(workspace, made);
        if (!name) return;
        await using draft = await cache.create(name);
        let fits = await draft.write(toHeader(end));
        if (!fits) return;
        const sink = async (data: Uint8Array) => {
          fits &&= await draft.write(data);
        };
        const { exited } = await endOf(runStep(workspace, stepOf(made.compile, PACK), { sink, signal }));
        if (fits && hasEndedWell(exited)) await draft.commit();
      } catch (error) {
        if (signal.aborted) throw error;
        log.warn({ err: error }, 'failed to keep what a compile step made; the next one makes it anew');
      }
    },
  };
}

/** The name of an entry is a hash of everything that the compile step can see. */
async function nameOf(workspace: Workspace, { organizationId, files, compile }: Made): Promise<string | undefined> {
  const image = await workspace.image();
  if (!image) return undefined;
  const sources: [string, string][] = [];
  for (const { name, data } of files) sources.push([name, await hashOfData(data)]);
  const { command, environment, limits } = compile;
  const variables = Object.entries(environment).sort(([a], [b]) => (a < b ? -1 : 1));
  const all = JSON.stringify([organizationId, image, workspace.isolation, command, variables, limits, sources]);
  return `${prefixOf(organizationId)}${hashOf(all)}`;
}

function hashOf(value: string): string {
  return createHash('sha256').update(value).digest('hex');
}

async function hashOfData(data: Data): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of piecesOf(data)) hash.update(piece);
  return hash.digest('hex');
}

/** The step that packs or unpacks, with the limits of the compile step. */
function stepOf(compile: ExecutionStep, command: string[]): ExecutionStep {
  return { ...compile, command, environment: {}, limits: { ...compile.limits!, outputBytes: MAX_ARTIFACT_BYTES } };
}

function hasEndedWell(exited: Exited | undefined): boolean {
  return exited?.exitCode === 0 && exited.signal === 0 && exited.limit === 'LIMIT_KIND_UNSPECIFIED';
}

type Header = { exited: string; stdout: string; stderr: string; peakMemoryBytes?: number | undefined };

/** The end of the compile step, after its length. */
function toHeader({ exited, stdout, stderr, peakMemoryBytes }: StepEnd): Buffer {
  const header: Header = {
    exited: Buffer.from(Exited.encode(exited!).finish()).toString('base64'),
    stdout: stdout.toString('base64'),
    stderr: stderr.toString('base64'),
    peakMemoryBytes,
  };
  const bytes = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

async function readHeader(entry: Entry): Promise<{ end: StepEnd; start: number }> {
  let bytes = Buffer.alloc(0);
  for await (const piece of entry.read(0)) {
    bytes = Buffer.concat([bytes, piece]);
    const length = bytes.readUInt32BE(0);
    if (length > MAX_HEADER_BYTES) break;
    const start = LENGTH_BYTES + length;
    if (bytes.length < start) continue;
    const { exited, stdout, stderr, peakMemoryBytes }: Header = JSON.parse(bytes.toString('utf8', LENGTH_BYTES, start));
    const end = {
      exited: Exited.decode(Buffer.from(exited, 'base64')),
      lost: undefined,
      stdout: Buffer.from(stdout, 'base64'),
      stderr: Buffer.from(stderr, 'base64'),
      peakMemoryBytes,
    };
    return { end, start };
  }
  throw new Error('an artifact has no header');
}
