/** What all calls of a client share. */

import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { DataLoss } from "./errors.js";
import { ReadConsistencySchema, type ReadConsistency } from "./gen/quipu/v1/consistency_pb.js";
import type { Memory } from "./gen/quipu/v1/memory_pb.js";
import { memoryName, sessionName, spaceName, spaceOf, type MemoryLike } from "./names.js";
import { integer, toRevision, type Revision, type Revisions } from "./numbers.js";
import type { Wire } from "./wire.js";

/**
 * How fresh a read must be.
 *
 * - `strong`: it sees every write acknowledged before it began.
 * - `session`: it sees what this client wrote.
 * - `atLeast`: it sees these revisions, by id or name of space; one beyond the head fails with `OutOfRange`.
 * - `asOf`: it sees the past: the spaces as they were at this revision, or at one for each, by id or name.
 * - `maxStalenessMs`: it sees what was written earlier than so many milliseconds ago; 0 to 3,600,000.
 */
export type Consistency =
  | "strong"
  | "session"
  | { readonly atLeast: Revisions }
  | { readonly asOf: Revision | Revisions }
  | { readonly maxStalenessMs: number };

/** A connection, the space that calls without one mean, and the last revision seen of each space. */
export class Session {
  readonly wire: Wire;
  readonly #space: string;
  readonly #revisions = new Map<string, bigint>();

  constructor(wire: Wire, space: string) {
    this.wire = wire;
    this.#space = space;
  }

  /** The name of a space. */
  parent(space?: string): string {
    return spaceName(space || this.#space);
  }

  /** The names of one space or several. */
  parents(space?: string | readonly string[]): string[] {
    return typeof space === "object" ? space.map(spaceName) : [this.parent(space)];
  }

  /** The name of a memory. */
  name(memory: MemoryLike, space?: string): string {
    return memoryName(memory, space || this.#space);
  }

  /** The name of a session. */
  conversation(session: string, space?: string): string {
    return sessionName(session, space || this.#space);
  }

  /** Remember that a space has reached a revision. */
  saw(space: string, revision: bigint): void {
    if (revision > (this.#revisions.get(space) ?? 0n)) this.#revisions.set(space, revision);
  }

  /** Remember the revision of a memory that was written. */
  sawMemory(memory: Memory): Memory {
    this.saw(spaceOf(memory.name), memory.revision);
    return memory;
  }

  /** Forget a space that is no more. */
  forget(space: string): void {
    this.#revisions.delete(space);
  }

  /** The level of a read of these spaces, by their names. */
  consistency(level: Consistency, spaces: readonly string[]): ReadConsistency {
    if (level === "strong") return create(ReadConsistencySchema, { level: { case: "strong", value: {} } });
    if (level === "session") return atLeast(spaces.map((space) => [space, this.#revisions.get(space) ?? 0n]));
    if ("atLeast" in level) {
      return atLeast(bySpace("atLeast", level.atLeast, spaces));
    }
    if ("asOf" in level) {
      const revisions = Object.fromEntries(bySpace("asOf", level.asOf, spaces));
      return create(ReadConsistencySchema, { level: { case: "asOf", value: { revisions } } });
    }
    const value = durationFromMs(integer("maxStalenessMs", level.maxStalenessMs));
    return create(ReadConsistencySchema, { level: { case: "maxStaleness", value } });
  }
}

/** Revisions by name of space, from one of all spaces, or from those by id or name. */
export function bySpace(option: string, revisions: Revision | Revisions, spaces: readonly string[]): [string, bigint][] {
  if (typeof revisions !== "object") return spaces.map((space) => [space, toRevision(option, revisions)]);
  return Object.entries(revisions).map(([space, revision]) => [spaceName(space), toRevision(option, revision)]);
}

/** What an answer must have. */
export function present<T>(value: T | undefined): T {
  if (value === undefined) throw new DataLoss("the server left out what was asked for");
  return value;
}

function atLeast(revisions: readonly (readonly [string, bigint])[]): ReadConsistency {
  return create(ReadConsistencySchema, { level: { case: "atLeast", value: { revisions: Object.fromEntries(revisions) } } });
}
