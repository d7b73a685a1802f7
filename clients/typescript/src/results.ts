/** Answers that come in parts. */

import type { Hit, SearchSummary } from "./gen/quipu/v1/search_service_pb.js";

/** Makes the parts of an answer; the signal stops what is under way. */
export type Open<T> = (signal: AbortSignal) => AsyncIterable<readonly T[]>;

/**
 * Items in their order, to be read once: `for await (const item of results)`, or `await results.all()`.
 *
 * Nothing is sent before the first item is asked for. Parts are fetched as they are needed. Leaving the loop ends the
 * call; the server stops working on the answer.
 */
export class Results<T> implements AsyncIterableIterator<T> {
  readonly #leaving = new AbortController();
  readonly #items: AsyncGenerator<T, void>;

  /** @internal */
  constructor(open: Open<T>, signal?: AbortSignal) {
    this.#items = read(open, this.#leaving, signal);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next item. Rejects with QuipuError. */
  next(): Promise<IteratorResult<T, void>> {
    return this.#items.next();
  }

  /** Stop early, as leaving a loop does. */
  async return(): Promise<IteratorResult<T, void>> {
    this.#leaving.abort();
    return this.#items.return();
  }

  /** The items that were not read yet. */
  async all(): Promise<T[]> {
    const items: T[] = [];
    for await (const item of this) items.push(item);
    return items;
  }

  /** Stop early, as leaving a loop does. */
  async close(): Promise<void> {
    await this.return();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Where the summary of a search is put when it comes. */
export interface Answer {
  summary?: SearchSummary;
}

/** The hits of a search, best first. */
export class Hits extends Results<Hit> {
  readonly #answer: Answer;

  /** @internal */
  constructor(answer: Answer, open: Open<Hit>, signal?: AbortSignal) {
    super(open, signal);
    this.#answer = answer;
  }

  /** What answered. Throws an Error before the last hit was read. */
  get summary(): SearchSummary {
    if (!this.#answer.summary) throw new Error("the summary comes after the last hit: read all hits first");
    return this.#answer.summary;
  }
}

async function* read<T>(open: Open<T>, leaving: AbortController, signal?: AbortSignal): AsyncGenerator<T, void> {
  const leave = (): void => leaving.abort(signal?.reason);
  signal?.addEventListener("abort", leave);
  if (signal?.aborted) leave();
  try {
    for await (const part of open(leaving.signal)) yield* part;
  } finally {
    signal?.removeEventListener("abort", leave);
    leaving.abort();
  }
}
