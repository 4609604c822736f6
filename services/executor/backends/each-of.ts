const AT_ONCE = 8;

/** Works on 8 items at a time. Throws the first failure after all are done. */
export async function eachOf<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const queue = Iterator.from(items);
  const failures: unknown[] = [];
  const worker = async () => {
    for (const item of queue) await work(item).catch((error) => failures.push(error));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (failures.length > 0) throw failures[0];
}
