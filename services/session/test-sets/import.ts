import type { Catalog } from '#libs/catalog/catalog.ts';
import { invalidField } from '#libs/errors.ts';
import { firstCharacters } from '#libs/first-characters.ts';
import { Interactor, TestCase } from '#proto/drydock/v1/execution.ts';
import {
  CreateTestSetRequest,
  type ImportTestSetRequest,
  type ImportTestSetResponse,
} from '#proto/drydock/v1/test_set.ts';
import { putBlob } from '../blobs/blobs.ts';
import { discard, type Owner, writeContent } from '../blobs/contents.ts';
import { type ArchiveFile, MAX_ARCHIVE_BYTES, openArchive } from './packages/archive.ts';
import { createFindings, type Findings } from './packages/findings.ts';
import type { Package, PackageCase } from './packages/package.ts';
import { readPlain } from './packages/plain.ts';
import { readProblem } from './packages/problem.ts';
import { type Dependencies, registerTestSet } from './registration.ts';
import { MAX_LABEL } from './validation.ts';

const PUTS_AT_ONCE = 4;
/** What programs that make zips add. */
const LEFT_BY_SYSTEMS = /(^|\/)(__MACOSX\/|\.DS_Store$|Thumbs\.db$)/;

/**
 * Registers the test set of a zip, which is kept in the storage of blobs meanwhile, and counted in the quota. Errors: as
 * ImportTestSet.
 */
export async function importTestSet(
  dependencies: Dependencies,
  owner: Owner,
  { name, version }: Pick<ImportTestSetRequest, 'name' | 'version'>,
  data: AsyncIterable<Uint8Array>,
): Promise<ImportTestSetResponse> {
  for (const [field, value] of Object.entries({ name, version }))
    if (value.length > MAX_LABEL) throw invalidField(field, `is longer than ${MAX_LABEL} characters`);
  const { blobs } = dependencies;
  const content = await writeContent(blobs, owner, data, MAX_ARCHIVE_BYTES);
  try {
    const files = await openArchive(blobs.storages.current, content.id, content.sizeBytes);
    const findings = createFindings();
    const { cases, ...found } = await readPackage(files, dependencies.catalog, findings);
    findings.done();
    const own = name || firstCharacters(found.name, MAX_LABEL);
    if (!own) throw invalidField('name', 'is required: the package has none');
    const kept = await keepCases(dependencies, owner, cases);
    const interactor = found.interactor && Interactor.create(found.interactor);
    const request = CreateTestSetRequest.create({ ...found, interactor, name: own, version, cases: kept });
    return { testSet: await registerTestSet(dependencies, owner, request), notes: findings.notes };
  } finally {
    await discard(blobs, content.id);
  }
}

function readPackage(
  all: ReadonlyMap<string, ArchiveFile>,
  catalog: Catalog,
  findings: Findings,
): Promise<Package> | Package {
  const files = new Map(all);
  for (const path of all.keys()) {
    if (!LEFT_BY_SYSTEMS.test(path)) continue;
    files.delete(path);
    findings.note(path, '', 'was left by an operating system');
  }
  const problem = inProblem(files);
  return problem ? readProblem(problem, catalog, findings) : readPlain(files, findings);
}

/** The files of a problem package by their path in it; undefined for another zip. */
function inProblem(files: ReadonlyMap<string, ArchiveFile>): ReadonlyMap<string, ArchiveFile> | undefined {
  if (files.has('problem.yaml')) return files;
  const roots = new Set([...files.keys()].map((path) => path.slice(0, path.indexOf('/') + 1)));
  const [root = ''] = roots;
  if (roots.size !== 1 || !files.has(`${root}problem.yaml`)) return undefined;
  const inRoot = [...files].map(([path, file]): [string, ArchiveFile] => {
    const own = path.slice(root.length);
    return [own, { ...file, path: own }];
  });
  return new Map(inRoot);
}

/** Keeps inputs and answers as blobs. */
async function keepCases({ blobs }: Dependencies, owner: Owner, cases: PackageCase[]): Promise<TestCase[]> {
  const kept: TestCase[] = [];
  const queue = cases.entries();
  const worker = async () => {
    for (const [index, { name, input, answer, group = '', points }] of queue)
      kept[index] = TestCase.create({
        name,
        group,
        points,
        stdinBlob: (await putBlob(blobs, owner, input.read())).sha256,
        expectedOutputBlob: (await putBlob(blobs, owner, answer.read())).sha256,
      });
  };
  await Promise.all(Array.from({ length: PUTS_AT_ONCE }, worker));
  return kept;
}
