/** Answers that come in parts. */

import { DataLoss } from "./errors.js";
import type { Memory } from "./gen/quipu/v1/memory_pb.js";
import type { ContextEntry, Hit, SearchContext, SearchSummary } from "./gen/quipu/v1/search_service_pb.js";

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

/** Where what comes with the hits of a search is put. */
export interface Answer {
  summary?: SearchSummary;
  readonly hits: Hit[];
  readonly runs: SearchContext[];
}

/** A message of a part of a session. */
export interface ContextMessage {
  readonly memory: Memory;
  /** The hit it is; not set for what stands around hits. */
  readonly hit?: Hit | undefined;
}

/** A part of a session around hits, in its order. */
export interface Context {
  /** Its name, `spaces/{space}/sessions/{session}`. */
  readonly session: string;
  readonly messages: readonly ContextMessage[];
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

  /** What was said around the hits, the part with the best hit first; with `expandContext` only. Throws as `summary`. */
  get contexts(): Context[] {
    if (!this.summary) return [];
    const { hits, runs } = this.#answer;
    return runs.map(({ session, entries }) => ({ session, messages: entries.map((entry) => contextMessage(entry, hits)) }));
  }
}

function contextMessage({ entry }: ContextEntry, hits: readonly Hit[]): ContextMessage {
  if (entry.case === "memory") return { memory: entry.value };
  const hit = hits[entry.value ?? 0];
  if (!hit?.memory) throw new DataLoss("the server named a hit that it did not send");
  return { memory: hit.memory, hit };
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
