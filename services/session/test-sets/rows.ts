import { TestSet } from '#proto/drydock/v1/test_set.ts';

export type TestSetRow = {
  id: string;
  name: string;
  version: string;
  case_count: number;
  size_bytes: number;
  /** Absent from lists. */
  content?: Buffer;
  create_time: Date;
};

/** Columns of a `TestSetRow` without its content. */
export const SUMMARY = 'id, name, version, case_count, size_bytes, create_time';

export function toTestSet(row: TestSetRow): TestSet {
  const { id, name, version, case_count: caseCount, size_bytes: sizeBytes, create_time: createTime } = row;
  const content = row.content ? TestSet.decode(row.content) : TestSet.create();
  return { ...content, id, name, version, caseCount, sizeBytes, createTime };
}
