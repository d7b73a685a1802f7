/** The call that makes a text for a prompt. */

import { create } from "@bufbuild/protobuf";
import { PackContextRequestSchema, SearchService, type PackContextResponse } from "./gen/quipu/v1/search_service_pb.js";
import { modelName, spaceOf } from "./names.js";
import { integer } from "./numbers.js";
import { toRequest, type SearchOptions } from "./searches.js";
import type { Session } from "./session.js";

/** A text within a budget of tokens, and what its numbers cite. */
export type Pack = PackContextResponse;

/** Options of `pack`; those of a search, whose `k` is 50 and `expandContext` 1 by default. */
export interface PackOptions extends Omit<SearchOptions, "explain"> {
  /** Most tokens of the text, 1 to 100,000. */
  readonly tokenBudget: number;
  /** The session whose newest messages end the text: an id in the first space, or a name. */
  readonly session?: string | undefined;
  /** Most messages of the session, 1 to 1,000; by default only tokens limit them. */
  readonly windowMessages?: number | undefined;
  /** Most tokens of the session; default half of the budget. */
  readonly windowTokens?: number | undefined;
  /** The model that counts tokens; default: that of the first space. */
  readonly model?: string | undefined;
}

export async function pack(session: Session, text: string, options: PackOptions): Promise<Pack> {
  const search = toRequest(session, text, options);
  const request = create(PackContextRequestSchema, {
    search,
    session: options.session ? session.conversation(options.session, spaceOf(search.spaces[0] ?? "")) : "",
    tokenBudget: integer("tokenBudget", options.tokenBudget),
    model: modelName(options.model),
    windowMessages: integer("windowMessages", options.windowMessages ?? 0),
  });
  if (options.windowTokens !== undefined) request.windowTokens = integer("windowTokens", options.windowTokens);
  return session.wire.unary(SearchService.method.packContext, request, options);
}
