/** Requests grouped so that each group fits a call. */

import { toBinary } from "@bufbuild/protobuf";
import { CreateMemoryRequestSchema, type CreateMemoryRequest } from "./gen/quipu/v1/memory_service_pb.js";

/** In one call, of the 500 that the server takes: small enough for progress, large enough for speed. */
export const MOST_MEMORIES = 100;
/** In one call; half of what the server takes by default. */
const MOST_BYTES = 8 << 20;

/** Split into runs of at most MOST_MEMORIES and, unless one alone is larger, MOST_BYTES. */
export async function* batches(requests: AsyncIterable<CreateMemoryRequest>): AsyncGenerator<CreateMemoryRequest[], void> {
  let batch: CreateMemoryRequest[] = [];
  let bytes = 0;
  for await (const request of requests) {
    const length = toBinary(CreateMemoryRequestSchema, request).length;
    if (batch.length && (batch.length === MOST_MEMORIES || bytes + length > MOST_BYTES)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(request);
    bytes += length;
  }
  if (batch.length) yield batch;
}
