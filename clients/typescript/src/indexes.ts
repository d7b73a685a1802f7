/** Calls that look at the indexes of the server. */

import { create } from "@bufbuild/protobuf";
import {
  DescribeIndexRequestSchema,
  IndexService,
  type IndexDescription,
} from "./gen/quipu/v1/index_service_pb.js";
import { integer } from "./numbers.js";
import type { CallOptions } from "./options.js";
import { present, type Session } from "./session.js";

/** Options of `describeIndex`. */
export interface DescribeIndexOptions extends CallOptions {
  /** Memories to check with what the index finds of what is there, at most 100; default 0, which checks nothing. */
  readonly recallSample?: number | undefined;
}

export async function describeIndex(
  session: Session,
  space: string | undefined,
  options: DescribeIndexOptions,
): Promise<IndexDescription> {
  const recallSample = integer("recallSample", options.recallSample ?? 0);
  const request = create(DescribeIndexRequestSchema, { space: session.parent(space), recallSample });
  return present((await session.wire.unary(IndexService.method.describeIndex, request, options)).index);
}
