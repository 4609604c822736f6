const CTRL_P = 0x10;
const CTRL_Q = 0x11;

/** Passes keys on until Ctrl-P Ctrl-Q, of which neither is passed on. A Ctrl-P waits for the key after it. */
export function createDetachKeys(pass: (data: Uint8Array) => void, detach: () => void): (data: Uint8Array) => void {
  let waits = false;
  let detached = false;
  return (data) => {
    if (detached) return;
    const keys: number[] = [];
    for (const key of data) {
      if (waits && key === CTRL_Q) {
        detached = true;
        break;
      }
      if (waits) keys.push(CTRL_P);
      waits = key === CTRL_P;
      if (!waits) keys.push(key);
    }
    if (keys.length > 0) pass(Uint8Array.from(keys));
    if (detached) detach();
  };
}
