import { DrydockError } from '#libs/errors.ts';

const RETRY_AFTER_MS = 1_000;

/** Room for one sandbox. Disposing gives it back. */
export type Place = Disposable & {
  readonly memoryBytes: number;
  /** Takes as much memory as this instead. Errors: NO_CAPACITY, and it stays as it was. */
  resize(memoryBytes: number): Promise<void>;
};

/** What an executor may give out: so many sandboxes, and so much memory in all. */
export type Room = {
  /** Takes room for one more; what is only kept in case it is needed gives way. Errors: NO_CAPACITY. */
  take(memoryBytes: number): Promise<Place>;
  /** Takes room whether there is any or not, for what exists already. */
  occupy(memoryBytes: number): Place;
  /** Whether another one with so much memory fits as it is, and those that have taken no room yet fit besides. */
  fits(memoryBytes: number, besides?: number[]): boolean;
  freeMemoryBytes(): number;
};

export function createRoom(dependencies: {
  maxSandboxes: number;
  memoryBytes: number;
  /** Gives up one sandbox that nobody uses now. False where there is none. */
  giveWay: () => Promise<boolean>;
}): Room {
  const places = new Set<Place>();

  const freeMemoryBytes = () =>
    [...places].reduce((free, { memoryBytes }) => free - memoryBytes, dependencies.memoryBytes);
  const fits = (memoryBytes: number, besides: number[] = []) =>
    places.size + besides.length < dependencies.maxSandboxes &&
    freeMemoryBytes() >= besides.reduce((sum, each) => sum + each, memoryBytes);

  const makeRoom = async (): Promise<void> => {
    if (!(await dependencies.giveWay()))
      throw new DrydockError('NO_CAPACITY', 'this executor is full', { retryAfterMs: RETRY_AFTER_MS });
  };

  const occupy = (memoryBytes: number): Place => {
    const place = {
      memoryBytes,
      async resize(wanted: number) {
        while (freeMemoryBytes() < wanted - place.memoryBytes) await makeRoom();
        place.memoryBytes = wanted;
      },
      [Symbol.dispose]: () => void places.delete(place),
    };
    places.add(place);
    return place;
  };

  return {
    async take(memoryBytes) {
      // Nothing may come between seeing that it fits and taking it.
      while (!fits(memoryBytes)) await makeRoom();
      return occupy(memoryBytes);
    },
    occupy,
    fits,
    freeMemoryBytes,
  };
}
