/** How far a watch has come: kept, it tells where to go on. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import { WatchMemoriesRequestSchema, type WatchMemoriesRequest } from "./gen/quipu/v1/memory_service_pb.js";
import type { Revision, Revisions } from "./numbers.js";
import { bySpace } from "./session.js";

/** The revision that was reached in each space, by name, and the nonce that tells it from others with its number. */
export class Position {
  #revisions: Record<string, bigint> = {};
  #nonces: Record<string, bigint> = {};

  /** What a caller says it is. Throws RangeError for what is no token. */
  static read(after: Revision | Revisions | string, spaces: readonly string[]): Position {
    const position = new Position();
    if (typeof after === "string") {
      const begin = decode(after);
      [position.#revisions, position.#nonces] = [begin.afterRevisions, begin.afterNonces];
    } else {
      position.#revisions = Object.fromEntries(bySpace("after", after, spaces));
    }
    return position;
  }

  /** The revisions by name of space. */
  get revisions(): Readonly<Record<string, bigint>> {
    return { ...this.#revisions };
  }

  /** What lets a watch begin here. */
  get begin(): { afterRevisions: Record<string, bigint>; afterNonces: Record<string, bigint> } {
    return { afterRevisions: { ...this.#revisions }, afterNonces: { ...this.#nonces } };
  }

  /** The position as text: the same in the clients for all languages. */
  get token(): string {
    return base64Encode(toBinary(WatchMemoriesRequestSchema, create(WatchMemoriesRequestSchema, this.begin)), "url");
  }

  /** Go on to a revision. */
  reach(space: string, revision: bigint, nonce: bigint): void {
    this.#revisions[space] = revision;
    this.#nonces[space] = nonce;
  }
}

function decode(token: string): WatchMemoriesRequest {
  try {
    const begin = fromBinary(WatchMemoriesRequestSchema, base64Decode(token));
    if (Object.keys(begin.afterRevisions).length > 0) return begin;
  } catch {
    // What cannot be read is no token either.
  }
  throw new RangeError("after: is neither revisions nor the token of a watch");
}
