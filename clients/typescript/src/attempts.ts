/** Attempts at a call until it succeeds, its time is over, or trying again has no point. */

import { DeadlineExceeded, Unavailable } from "./errors.js";
import { cancellation, errorFrom, type FailedCall } from "./failures.js";
import { sleep } from "./waits.js";

/** As many as gRPC allows; the waits between them, 0.2 + 0.8 + 3.2 + 5 s, outlast a slow restart. */
const MOST_ATTEMPTS = 5;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;
const WAIT_FACTOR = 4;
/** Every wait varies at random by a fifth, as in gRPC. */
const JITTER = 0.2;
/** Timers of Node.js take no longer times; a call with a later deadline has none. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The attempts at one call. Mutations carry request ids, so that sending one twice has one effect. */
export class Attempts {
  readonly #call: FailedCall;
  readonly #endMs: number;

  constructor(call: FailedCall, timeoutMs: number) {
    this.#call = call;
    this.#endMs = performance.now() + timeoutMs;
  }

  /**
   * Send until it succeeds.
   *
   * send: gets the time that is left, in milliseconds; undefined for no limit.
   */
  async run<T>(send: (timeoutMs: number | undefined) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await send(this.#left());
      } catch (thrown) {
        await this.#waitAfter(thrown, attempt);
      }
    }
  }

  /** Wait before the next attempt; throws if there is none. */
  async #waitAfter(thrown: unknown, attempt: number): Promise<void> {
    const error = errorFrom(thrown, this.#call);
    if (!(error instanceof Unavailable) || attempt === MOST_ATTEMPTS) throw error;
    const waitMs = Math.max(backoffMs(attempt), error.retryAfterMs ?? 0);
    if (performance.now() + waitMs >= this.#endMs) throw error;
    await sleep(waitMs, this.#call.signals);
  }

  #left(): number | undefined {
    const cancelled = cancellation(this.#call);
    if (cancelled) throw cancelled;
    const leftMs = this.#endMs - performance.now();
    if (leftMs <= 0) throw new DeadlineExceeded("the time for the call is over", { requestId: this.#call.requestId });
    return leftMs > LONGEST_TIMER_MS ? undefined : Math.ceil(leftMs);
  }
}

function backoffMs(attempt: number): number {
  const waitMs = Math.min(FIRST_WAIT_MS * WAIT_FACTOR ** (attempt - 1), LONGEST_WAIT_MS);
  return waitMs * (1 + JITTER * (2 * Math.random() - 1));
}
