/** Calls that keep memories, one at a time. */

import { create } from "@bufbuild/protobuf";
import { creation } from "./bulk.js";
import { given, toMemory, toVerdict, type Changes, type Fields, type VerdictName } from "./fields.js";
import { filtering, type FilterLike } from "./filters.js";
import type { Memory, MemoryRevision } from "./gen/quipu/v1/memory_pb.js";
import {
  BatchGetMemoriesRequestSchema,
  DeleteMemoryRequestSchema,
  GetMemoryRequestSchema,
  GetMemoryUsesRequestSchema,
  ListMemoriesRequestSchema,
  ListMemoryRevisionsRequestSchema,
  MemoryService,
  RecordFeedbackRequestSchema,
  type MemoryUse,
  UndeleteMemoryRequestSchema,
  UpdateMemoryRequestSchema,
} from "./gen/quipu/v1/memory_service_pb.js";
import { spaceOf, type MemoryLike } from "./names.js";
import { integer, toRevision, type Revision } from "./numbers.js";
import type { DeferOptions, SpaceOptions, SpaceWriteOptions } from "./options.js";
import { paged, PAGE_SIZE } from "./pages.js";
import type { Results } from "./results.js";
import { present, type Session } from "./session.js";
import { requestIdOrNew } from "./uuid.js";

/** In one BatchGetMemories. */
const MOST_NAMES = 1_000;

/** Options of `add`: the fields of the memory beside its content, and those of the call. */
export interface AddOptions extends Fields, SpaceWriteOptions, DeferOptions {
  /** Letters, digits, `.`, `_`, `~`, `-`, at most 128; without it the server makes one that sorts by time. */
  readonly id?: string | undefined;
}

/** Options of `update`: the changes, and those of the call. */
export interface UpdateOptions extends Changes, SpaceWriteOptions {
  /** Fails with `Aborted` when the memory has another etag. */
  readonly etag?: string | undefined;
  /** Changes only the given keys of the metadata; null removes a key. */
  readonly mergeMetadata?: boolean | undefined;
  /** Creates the memory when there is none. */
  readonly allowMissing?: boolean | undefined;
}

/** Options of `delete`. */
export interface DeleteOptions extends SpaceWriteOptions {
  /** Fails with `Aborted` when the memory has another etag. */
  readonly etag?: string | undefined;
  /** Succeeds, with the revision of the space, when there is no such memory. */
  readonly allowMissing?: boolean | undefined;
}

/** Options of `get`. */
export interface GetOptions extends SpaceOptions {
  /** A revision of the space: the memory as it was then; default: as it is now. */
  readonly revision?: Revision | undefined;
}

/** Options of `list`. */
export interface ListOptions extends SpaceOptions {
  /** Which memories to list. */
  readonly filter?: FilterLike | undefined;
  /** Memories without the time come last; default `create_time`. */
  readonly orderBy?: "create_time" | "update_time" | "event_time" | undefined;
  /** Latest first. */
  readonly descending?: boolean | undefined;
  /** Deleted memories too. */
  readonly showDeleted?: boolean | undefined;
  /** Archived memories too. */
  readonly showArchived?: boolean | undefined;
  /** A revision of the space: the memories as they were then, less those that have expired since. */
  readonly revision?: Revision | undefined;
  /** Memories in one call, 1 to 1,000; default 100. */
  readonly pageSize?: number | undefined;
}

export async function add(session: Session, content: string, options: AddOptions): Promise<Memory> {
  const { space, requestId, deferEmbedding = false, signal, timeoutMs, ...draft } = options;
  const request = creation({ ...draft, content });
  request.parent = session.parent(space);
  request.requestId = requestIdOrNew(requestId);
  request.deferEmbedding = deferEmbedding;
  const response = await session.wire.unary(MemoryService.method.createMemory, request, { signal, timeoutMs });
  return session.sawMemory(present(response.memory));
}

export async function get(session: Session, memory: MemoryLike, options: GetOptions): Promise<Memory> {
  const request = create(GetMemoryRequestSchema, {
    name: session.name(memory, options.space),
    revision: toRevision("revision", options.revision ?? 0n),
  });
  return present((await session.wire.unary(MemoryService.method.getMemory, request, options)).memory);
}

export async function getMany(
  session: Session,
  memories: readonly string[],
  options: SpaceOptions,
): Promise<Map<string, Memory>> {
  const names = memories.map((key) => session.name(key, options.space));
  const found = new Map<string, Memory>();
  for (let start = 0; start < names.length; start += MOST_NAMES) {
    const asked = names.slice(start, start + MOST_NAMES);
    const request = create(BatchGetMemoriesRequestSchema, { parent: session.parent(options.space), names: asked });
    const response = await session.wire.unary(MemoryService.method.batchGetMemories, request, options);
    for (const memory of response.memories) found.set(memory.name, memory);
  }
  return new Map(
    memories.flatMap((key, place) => {
      const memory = found.get(names[place] ?? "");
      return memory ? [[key, memory] as const] : [];
    }),
  );
}

export function list(session: Session, options: ListOptions): Results<Memory> {
  const order = options.orderBy ?? "create_time";
  const request = create(ListMemoriesRequestSchema, {
    parent: session.parent(options.space),
    orderBy: options.descending ? `${order} desc` : order,
    showDeleted: options.showDeleted ?? false,
    showArchived: options.showArchived ?? false,
    revision: toRevision("revision", options.revision ?? 0n),
    pageSize: integer("pageSize", options.pageSize ?? PAGE_SIZE),
    filtering: filtering(options.filter),
  });
  return paged(session.wire, MemoryService.method.listMemories, request, (page) => page.memories, options);
}

export async function update(session: Session, memory: MemoryLike, options: UpdateOptions): Promise<Memory> {
  const { etag, mergeMetadata, allowMissing, space, requestId, signal, timeoutMs, ...changes } = options;
  const target = toMemory(changes);
  target.name = session.name(memory, space);
  target.etag = etag ?? "";
  const request = create(UpdateMemoryRequestSchema, {
    memory: target,
    updateMask: { paths: given(changes).flatMap((key) => pathsOf(key, changes, mergeMetadata ?? false)) },
    allowMissing: allowMissing ?? false,
    requestId: requestIdOrNew(requestId),
  });
  const response = await session.wire.unary(MemoryService.method.updateMemory, request, { signal, timeoutMs });
  return session.sawMemory(present(response.memory));
}

async function remove(session: Session, memory: MemoryLike, options: DeleteOptions): Promise<bigint> {
  const request = create(DeleteMemoryRequestSchema, {
    name: session.name(memory, options.space),
    etag: options.etag ?? "",
    allowMissing: options.allowMissing ?? false,
    requestId: requestIdOrNew(options.requestId),
  });
  const { revision } = await session.wire.unary(MemoryService.method.deleteMemory, request, options);
  session.saw(spaceOf(request.name), revision);
  return revision;
}

export { remove as delete };

export async function undelete(session: Session, memory: MemoryLike, options: SpaceWriteOptions): Promise<Memory> {
  const request = create(UndeleteMemoryRequestSchema, {
    name: session.name(memory, options.space),
    requestId: requestIdOrNew(options.requestId),
  });
  const response = await session.wire.unary(MemoryService.method.undeleteMemory, request, options);
  return session.sawMemory(present(response.memory));
}

export async function feedback(
  session: Session,
  memory: MemoryLike,
  verdict: VerdictName,
  options: SpaceWriteOptions,
): Promise<Memory> {
  const request = create(RecordFeedbackRequestSchema, {
    name: session.name(memory, options.space),
    verdict: toVerdict(verdict),
    requestId: requestIdOrNew(options.requestId),
  });
  const response = await session.wire.unary(MemoryService.method.recordFeedback, request, options);
  return session.sawMemory(present(response.memory));
}

export async function uses(session: Session, memories: readonly MemoryLike[], options: SpaceOptions): Promise<MemoryUse[]> {
  const names = memories.map((memory) => session.name(memory, options.space));
  const parent = names[0] === undefined ? session.parent(options.space) : spaceOf(names[0]);
  const request = create(GetMemoryUsesRequestSchema, { parent, names });
  return (await session.wire.unary(MemoryService.method.getMemoryUses, request, options)).uses;
}

export function history(session: Session, memory: MemoryLike, options: SpaceOptions): Results<MemoryRevision> {
  const request = create(ListMemoryRevisionsRequestSchema, { name: session.name(memory, options.space) });
  return paged(session.wire, MemoryService.method.listMemoryRevisions, request, (page) => page.revisions, options);
}

/** The paths of an update mask that a changed field stands for. */
function pathsOf(key: keyof Changes, changes: Changes, mergeMetadata: boolean): string[] {
  if (key !== "metadata" || !mergeMetadata) return [key.replace("Time", "_time")];
  const metadata = Object.entries(changes.metadata ?? {});
  return metadata.flatMap(([name, value]) => (value === undefined ? [] : [`metadata.${name}`]));
}
