/** Calls that store many memories: in batches, each all or none, one after the other. */

import { create } from "@bufbuild/protobuf";
import { batches } from "./batches.js";
import { QuipuError } from "./errors.js";
import { toMemory, type Draft } from "./fields.js";
import type { Memory } from "./gen/quipu/v1/memory_pb.js";
import {
  BatchCreateMemoriesRequestSchema,
  CreateMemoryRequestSchema,
  MemoryService,
  type CreateMemoryRequest,
} from "./gen/quipu/v1/memory_service_pb.js";
import type { DeferOptions, SpaceWriteOptions } from "./options.js";
import type { Session } from "./session.js";
import { requestIdOrNew, uuid5 } from "./uuid.js";

/** A memory to add, or its content. */
export type DraftLike = string | Draft;

/** Memories to add, read no further than the batch under way. */
export type Drafts = Iterable<DraftLike> | AsyncIterable<DraftLike>;

/** Options of `addMany`. */
export interface AddManyOptions extends SpaceWriteOptions, DeferOptions {}

export async function addMany(session: Session, drafts: Drafts, options: AddManyOptions): Promise<Memory[]> {
  const stored: Memory[] = [];
  for await (const batch of store(session, drafts, options)) stored.push(...batch);
  return stored;
}

/** The request that creates a memory, but for its space. */
export function creation(draft: DraftLike): CreateMemoryRequest {
  const { id, ...fields } = typeof draft === "string" ? { content: draft, id: undefined } : draft;
  return create(CreateMemoryRequestSchema, { memoryId: id ?? "", memory: toMemory(fields) });
}

/** Store batch by batch; yield each as stored. */
async function* store(session: Session, drafts: Drafts, options: AddManyOptions): AsyncGenerator<Memory[], void> {
  const parent = session.parent(options.space);
  const whole = requestIdOrNew(options.requestId);
  let number = 0;
  let count = 0;
  for await (const requests of batches(creations(drafts))) {
    const requestId = number ? uuid5(whole, String(number)) : whole;
    const { deferEmbedding = false } = options;
    const request = create(BatchCreateMemoriesRequestSchema, { parent, requests, requestId, deferEmbedding });
    const response = await session.wire
      .unary(MemoryService.method.batchCreateMemories, request, options)
      .catch((error: unknown) => rethrow(error, count, whole));
    session.saw(parent, response.revision);
    number += 1;
    count += requests.length;
    yield response.memories;
  }
}

/** Say in the error how many memories were stored, and with which id the whole may be sent again. */
function rethrow(error: unknown, count: number, whole: string): never {
  if (error instanceof QuipuError) {
    error.message += `; the first ${count} memories were stored, those from there on were not`;
    error.requestId = whole;
  }
  throw error;
}

async function* creations(drafts: Drafts): AsyncGenerator<CreateMemoryRequest, void> {
  for await (const draft of drafts) yield creation(draft);
}
