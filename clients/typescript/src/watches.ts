/** The call that follows changes. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Unavailable } from "./errors.js";
import { filtering, type FilterLike } from "./filters.js";
import type { Memory, MemoryChange } from "./gen/quipu/v1/memory_pb.js";
import {
  MemoryService,
  WatchMemoriesRequestSchema,
  type WatchedChange,
  type WatchMemoriesResponse,
} from "./gen/quipu/v1/memory_service_pb.js";
import type { Revision, Revisions } from "./numbers.js";
import { Position } from "./positions.js";
import { Results } from "./results.js";
import { present, type Session } from "./session.js";
import { renewalWaitMs } from "./waits.js";

/** Options of `watch`. */
export interface WatchOptions {
  /** A space, or up to 16; default: that of the client. */
  readonly space?: string | readonly string[] | undefined;
  /**
   * The revision after which changes are told, 0 for all: of every space, or by id or name of space, as in `position` of
   * an earlier watch. A space without one is watched from now on. The `token` of an earlier watch goes on where that was,
   * and fails with `OutOfRange` (`LOG_REPLACED`) when the database was restored to before what that watch has told.
   */
  readonly after?: Revision | Revisions | string | undefined;
  /** Tells the changes of memories that meet it after the change or met it before. */
  readonly filter?: FilterLike | undefined;
  /** Ends the watch, which then fails with `Cancelled`. */
  readonly signal?: AbortSignal | undefined;
}

/** What happened to a memory. */
export interface Change {
  /** Name of its space, `spaces/{space}`. */
  readonly space: string;
  /** Revision of the space that the change made. */
  readonly revision: bigint;
  /** `CREATED`, `UPDATED`, `DELETED`, `UNDELETED`, `EMBEDDED`, `ARCHIVED`, `UNARCHIVED` or `ERASED`. */
  readonly change: MemoryChange;
  /** As the change left it; a deleted one as it was. */
  readonly memory: Memory;
  /** It met the filter before the change and does not any more, though it was not deleted. */
  readonly left: boolean;
}

/** The changes of spaces, each once and in the order of its space: those made before and those to come. */
export class Watch extends Results<Change> {
  readonly #position: Position;

  /** @internal */
  constructor(session: Session, options: WatchOptions, position: Position) {
    super((signal) => changes(session, options, position, signal), options.signal);
    this.#position = position;
  }

  /** How far it has come, by name of space: kept, and given as `after`, it goes on after the change that was read last. */
  get position(): Readonly<Record<string, bigint>> {
    return this.#position.revisions;
  }

  /** The position as text: given as `after`, it also notices when the database was restored meanwhile. */
  get token(): string {
    return this.#position.token;
  }
}

export function watch(session: Session, options: WatchOptions): Watch {
  const { after = {} } = options;
  return new Watch(session, options, Position.read(after, session.parents(options.space)));
}

/** The changes after a position, which is kept at that of the change that was read last. */
async function* changes(
  session: Session,
  options: WatchOptions,
  position: Position,
  signal: AbortSignal,
): AsyncGenerator<[Change], void> {
  const request = { spaces: session.parents(options.space), filtering: filtering(options.filter) };
  for await (const response of responses(session, request, position, signal)) {
    for (const watched of response.changes) {
      const change = toChange(response.space, watched);
      position.reach(change.space, change.revision, watched.nonce);
      yield [change];
    }
    position.reach(response.space, response.revision, response.nonce);
  }
}

/** Begin after the position, again and again. */
async function* responses(
  session: Session,
  request: MessageInitShape<typeof WatchMemoriesRequestSchema>,
  position: Position,
  signal: AbortSignal,
): AsyncGenerator<WatchMemoriesResponse, void> {
  let hasBegun = false;
  for (let failures = 0; ; failures++) {
    const begin = create(WatchMemoriesRequestSchema, { ...request, ...position.begin });
    const options = { signal, timeoutMs: Infinity };
    try {
      for await (const response of session.wire.stream(MemoryService.method.watchMemories, begin, options)) {
        [hasBegun, failures] = [true, 0];
        session.saw(response.space, response.revision);
        yield response;
      }
    } catch (error) {
      if (!hasBegun || !(error instanceof Unavailable)) throw error;
    }
    await session.wire.pause(renewalWaitMs(failures), { signal });
  }
}

function toChange(space: string, { revision: made, left }: WatchedChange): Change {
  const { revision, change, memory } = present(made);
  return { space, revision, change, memory: present(memory), left };
}
