/** Calls that take memories out of use, and destroy them. */

import { create } from "@bufbuild/protobuf";
import { filtering, type FilterLike } from "./filters.js";
import type { Memory } from "./gen/quipu/v1/memory_pb.js";
import {
  ArchiveMemoryRequestSchema,
  EraseMemoriesRequestSchema,
  RetentionService,
  UnarchiveMemoryRequestSchema,
  type ErasureReceipt,
} from "./gen/quipu/v1/retention_service_pb.js";
import type { MemoryLike } from "./names.js";
import type { SpaceOptions, SpaceWriteOptions } from "./options.js";
import { present, type Session } from "./session.js";
import { requestIdOrNew } from "./uuid.js";

/** Options of `archive`. */
export interface ArchiveOptions extends SpaceWriteOptions {
  /** Fails with `Aborted` when the memory has another etag. */
  readonly etag?: string | undefined;
}

/** Options of `erase`: memories or a filter must be given. */
export interface EraseOptions extends SpaceOptions {
  /** Which memories. */
  readonly memories?: readonly MemoryLike[] | undefined;
  /** What they must meet; without `memories` all that meet it are erased. */
  readonly filter?: FilterLike | undefined;
  /** Empties title, summary and metadata of the sessions that the memories were messages of. */
  readonly sessions?: boolean | undefined;
  /** Erases nothing, and counts what would be erased. */
  readonly dryRun?: boolean | undefined;
}

export async function archive(session: Session, memory: MemoryLike, options: ArchiveOptions): Promise<Memory> {
  const request = create(ArchiveMemoryRequestSchema, {
    name: session.name(memory, options.space),
    etag: options.etag ?? "",
    requestId: requestIdOrNew(options.requestId),
  });
  const response = await session.wire.unary(RetentionService.method.archiveMemory, request, options);
  return session.sawMemory(present(response.memory));
}

export async function unarchive(session: Session, memory: MemoryLike, options: SpaceWriteOptions): Promise<Memory> {
  const request = create(UnarchiveMemoryRequestSchema, {
    name: session.name(memory, options.space),
    requestId: requestIdOrNew(options.requestId),
  });
  const response = await session.wire.unary(RetentionService.method.unarchiveMemory, request, options);
  return session.sawMemory(present(response.memory));
}

export async function erase(session: Session, options: EraseOptions): Promise<ErasureReceipt> {
  const request = create(EraseMemoriesRequestSchema, {
    parent: session.parent(options.space),
    names: (options.memories ?? []).map((memory) => session.name(memory, options.space)),
    filtering: filtering(options.filter),
    eraseSessions: options.sessions ?? false,
    dryRun: options.dryRun ?? false,
  });
  const receipt = present((await session.wire.unary(RetentionService.method.eraseMemories, request, options)).receipt);
  session.saw(request.parent, receipt.revision);
  return receipt;
}
