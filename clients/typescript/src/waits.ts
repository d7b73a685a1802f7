/** Waiting before something is tried again. */

/** Wait, but no longer than until one of the signals is aborted. */
export function sleep(waitMs: number, signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(wake, waitMs);
    for (const signal of signals) signal.addEventListener("abort", wake);
    if (signals.some((signal) => signal.aborted)) wake();
    function wake(): void {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener("abort", wake);
      resolve();
    }
  });
}

/** How long a call that goes on for ever waits before it begins anew. */
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;

/** Twice as long with each failure, and never the same for all who wait. */
export function renewalWaitMs(failures: number): number {
  return Math.min(FIRST_WAIT_MS * 2 ** failures, LONGEST_WAIT_MS) * (0.5 + Math.random() / 2);
}
