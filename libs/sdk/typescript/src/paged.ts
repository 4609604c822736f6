export type Page<T> = { items: T[]; nextPageToken: string };

/** A list that fetches its pages as it is iterated. */
export class Paged<T> implements AsyncIterable<T> {
  readonly #fetch: (pageToken: string) => Promise<Page<T>>;

  constructor(fetch: (pageToken: string) => Promise<Page<T>>) {
    this.#fetch = fetch;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    let pageToken = '';
    do {
      const page = await this.#fetch(pageToken);
      yield* page.items;
      pageToken = page.nextPageToken;
    } while (pageToken);
  }

  /** The first items, 1,000 at most unless told otherwise. */
  async toArray({ limit = 1_000 }: { limit?: number } = {}): Promise<T[]> {
    const items: T[] = [];
    if (limit <= 0) return items;
    for await (const item of this) {
      items.push(item);
      if (items.length >= limit) break;
    }
    return items;
  }
}
