/** The call that stores memories as they come. */

import { create, toBinary } from "@bufbuild/protobuf";
import { creation, type DraftLike, type Drafts } from "./bulk.js";
import { QuipuError, Unavailable } from "./errors.js";
import { refusalError } from "./failures.js";
import type { Redaction } from "./gen/quipu/v1/memory_pb.js";
import {
  IngestItemSchema,
  IngestMemoriesRequestSchema,
  IngestState,
  MemoryService,
  type IngestAcknowledgement,
  type IngestItem,
  type IngestMemoriesRequest,
} from "./gen/quipu/v1/memory_service_pb.js";
import type { CallOptions, DeferOptions } from "./options.js";
import { Results } from "./results.js";
import type { Session } from "./session.js";
import { requestIdOrNew } from "./uuid.js";
import { renewalWaitMs } from "./waits.js";

/** Items that were sent and not acknowledged: some transactions of the server, so that it always has work. */
const MOST_WAITING = 512;
/** Of these items. */
const MOST_BYTES = 8 << 20;

/** Options of `ingest`. */
export interface IngestOptions extends DeferOptions {
  /** Id or name of the space, which is made if there is none; default: that of the client. */
  readonly space?: string | undefined;
  /**
   * A UUID of the whole; give it to go on after an error, within 7 days, with the same memories from the first again: what
   * was stored is not stored again. Default: a new one.
   */
  readonly streamId?: string | undefined;
  /** Called with the number of memories that are acknowledged. */
  readonly onProgress?: ((count: number) => void) | undefined;
  /** Ends the ingestion, which then fails with `Cancelled`. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds without a server after which it fails with `Unavailable`; default: those of the client. */
  readonly timeoutMs?: number | undefined;
}

/** A memory of an ingestion that was stored. */
export interface Stored {
  readonly offset: number;
  readonly name: string;
  readonly revision: bigint;
  /** Whether every search finds it; if not, it is found by words only until it is embedded. */
  readonly searchable: boolean;
  /** The personal data that the server left out of it. */
  readonly redactions: readonly Redaction[];
  readonly error?: undefined;
}

/** What became of a memory: it was stored, or `error` says why not. */
export type Outcome =
  | Stored
  | { readonly offset: number; readonly name?: undefined; readonly revision?: undefined; readonly error: QuipuError };

export function ingest(session: Session, drafts: Drafts, options: IngestOptions): Results<Outcome> {
  const { deferEmbedding = false } = options;
  const start = { parent: session.parent(options.space), streamId: requestIdOrNew(options.streamId), deferEmbedding };
  return new Results((signal) => outcomes(session, start, new Source(drafts), { ...options, signal }), options.signal);
}

interface Start {
  readonly parent: string;
  readonly streamId: string;
  readonly deferEmbedding: boolean;
}

/** The memories, read one after the other, and those among them that are not acknowledged. */
class Source {
  readonly waiting = new Map<bigint, IngestItem>();
  error: { readonly thrown: unknown } | undefined;
  #isRead = false;
  #read = 0n;
  #bytes = 0;
  #next: Promise<IteratorResult<DraftLike, unknown>> | undefined;
  #wake: () => void = () => undefined;
  readonly #drafts: AsyncIterator<DraftLike, unknown>;

  constructor(drafts: Drafts) {
    this.#drafts = each(drafts);
  }

  get isDone(): boolean {
    return this.#isRead && this.waiting.size === 0;
  }

  /** The requests of one call: those that wait, and more as there is room, until the call has ended. */
  async *requests(start: Start, ended: AbortSignal): AsyncGenerator<IngestMemoriesRequest, void> {
    yield create(IngestMemoriesRequestSchema, { message: { case: "start", value: start } });
    for (const item of [...this.waiting.values()]) yield ofItem(item);
    for (;;) {
      await this.#room(ended);
      const item = ended.aborted ? undefined : await this.#take(ended);
      if (!item) return;
      yield ofItem(item);
    }
  }

  acknowledge(offset: bigint): void {
    const item = this.waiting.get(offset);
    if (!item) return;
    this.waiting.delete(offset);
    this.#bytes -= sizeOf(item);
    this.#wake();
  }

  async close(): Promise<void> {
    if (!this.#next) await this.#drafts.return?.();
  }

  /** The next item, which waits from now on; undefined when there is none, or it is left to the next call. */
  async #take(ended: AbortSignal): Promise<IngestItem | undefined> {
    try {
      const next = await (this.#next ??= this.#drafts.next());
      if (ended.aborted || this.#isRead) return undefined;
      this.#next = undefined;
      if (next.done) {
        this.#isRead = true;
        return undefined;
      }
      const { memoryId, memory } = creation(next.value);
      const item = create(IngestItemSchema, { offset: this.#read, memoryId, ...(memory ? { memory } : {}) });
      this.#read += 1n;
      this.waiting.set(item.offset, item);
      this.#bytes += sizeOf(item);
      return item;
    } catch (thrown) {
      this.error = { thrown };
      throw thrown;
    }
  }

  async #room(ended: AbortSignal): Promise<void> {
    while (!ended.aborted && (this.waiting.size >= MOST_WAITING || this.#bytes >= MOST_BYTES)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        ended.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }
}

/** Call until everything is acknowledged. */
async function* outcomes(
  session: Session,
  start: Start,
  source: Source,
  options: IngestOptions & { readonly signal: AbortSignal },
): AsyncGenerator<Outcome[], void> {
  const patienceMs = options.timeoutMs ?? session.wire.timeoutMs;
  let [count, progressedMs] = [0, performance.now()];
  try {
    for (let failures = 0; !source.isDone; failures++) {
      const ended = new AbortController();
      const call: CallOptions = { signal: options.signal, timeoutMs: Infinity };
      try {
        const requests = source.requests(start, ended.signal);
        for await (const response of session.wire.exchange(MemoryService.method.ingestMemories, requests, call)) {
          [failures, progressedMs] = [0, performance.now()];
          for (const told of response.acknowledgements) source.acknowledge(told.offset);
          options.onProgress?.((count += response.acknowledgements.length));
          yield response.acknowledgements.map((told) => toOutcome(session, start, told));
        }
        if (source.error) throw source.error.thrown;
      } catch (thrown) {
        if (source.error) throw source.error.thrown;
        if (!(thrown instanceof Unavailable) || performance.now() - progressedMs > patienceMs) throw named(thrown, start);
      } finally {
        ended.abort();
      }
      if (!source.isDone) await session.wire.pause(renewalWaitMs(failures), call);
    }
  } finally {
    await source.close();
  }
}

function toOutcome(session: Session, start: Start, told: IngestAcknowledgement): Outcome {
  const offset = Number(told.offset);
  if (told.outcome.case !== "stored") return { offset, error: refusalError(told.outcome.value, start.streamId) };
  const { name, revision, redactions, state } = told.outcome.value;
  session.saw(start.parent, revision);
  return { offset, name, revision, searchable: state === IngestState.SEARCHABLE, redactions };
}

/** Say in an error with which id the whole may go on. */
function named(thrown: unknown, start: Start): unknown {
  if (thrown instanceof QuipuError) thrown.requestId = start.streamId;
  return thrown;
}

function ofItem(value: IngestItem): IngestMemoriesRequest {
  return create(IngestMemoriesRequestSchema, { message: { case: "item", value } });
}

function sizeOf(item: IngestItem): number {
  return toBinary(IngestItemSchema, item).length;
}

async function* each(drafts: Drafts): AsyncGenerator<DraftLike, void> {
  yield* drafts;
}
