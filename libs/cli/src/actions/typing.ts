const ENDED: readonly string[] = ['PROCESS_ENDED', 'PROCESS_INPUT_CLOSED', 'PROCESS_NOT_FOUND'];

/** Writes what is typed in its order: one call at a time, and the next takes all that was typed meanwhile. */
export function createTyping(write: (data: Uint8Array) => Promise<void>) {
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  let pending: Uint8Array[] = [];
  let writes = false;
  const flush = async () => {
    writes = true;
    while (pending.length > 0) {
      const data = Buffer.concat(pending);
      pending = [];
      await write(data);
    }
    writes = false;
  };
  return {
    add(data: Uint8Array): void {
      pending.push(data);
      if (!writes)
        flush().catch((error) => {
          // A program that has ended needs no input; its end comes by its output.
          if (!ENDED.includes(error.reason)) failed.reject(error);
        });
    },
    /** Rejected when input can no longer be written. */
    failed: failed.promise,
  };
}
