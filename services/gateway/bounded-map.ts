/** A map that forgets what was used longest ago when it is full. */
export function createBoundedMap<K, V>(limit: number) {
  const entries = new Map<K, V>();
  return {
    get(key: K): V | undefined {
      const value = entries.get(key);
      if (value !== undefined) {
        entries.delete(key);
        entries.set(key, value);
      }
      return value;
    },
    set(key: K, value: V): void {
      entries.delete(key);
      entries.set(key, value);
      if (entries.size > limit) entries.delete(entries.keys().next().value as K);
    },
    delete: (key: K) => entries.delete(key),
    entries: () => entries.entries(),
    clear: () => entries.clear(),
  };
}
