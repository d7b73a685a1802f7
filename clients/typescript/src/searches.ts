/** The call that finds memories. */

import { create } from "@bufbuild/protobuf";
import { DataLoss } from "./errors.js";
import { filtering, type FilterLike } from "./filters.js";
import {
  SearchMode,
  SearchRequestSchema,
  SearchService,
  type Hit,
  type SearchRequest,
} from "./gen/quipu/v1/search_service_pb.js";
import type { MemoryLike } from "./names.js";
import { integer } from "./numbers.js";
import type { CallOptions } from "./options.js";
import { toWeights, type Ranking } from "./ranking.js";
import { Hits, type Answer } from "./results.js";
import type { Consistency, Session } from "./session.js";
import { toVector, type VectorLike } from "./values.js";

const MODES = { hybrid: SearchMode.HYBRID, dense: SearchMode.DENSE, lexical: SearchMode.LEXICAL } as const;

/** How to look: by meaning and by words, by meaning, or by words. */
export type Mode = keyof typeof MODES;

/** What to look for: a question or some words, a vector, or a memory to find others like it. */
export type Query = string | { readonly text: string } | { readonly vector: VectorLike } | { readonly example: MemoryLike };

/** Options of `search`. */
export interface SearchOptions extends CallOptions {
  /** A space, or up to 16 to search as if they were one; default: that of the client. */
  readonly space?: string | readonly string[] | undefined;
  /** Default `hybrid`, and `dense` for a vector. */
  readonly mode?: Mode | undefined;
  /** Most hits, 1 to 1,000; default 10. */
  readonly k?: number | undefined;
  /** Which memories may be found. */
  readonly filter?: FilterLike | undefined;
  /** Least relevance of a hit, 0 to 1; default 0. */
  readonly minRelevance?: number | undefined;
  /** Weights for this search, over those of the space. */
  readonly ranking?: Ranking | undefined;
  /** Returns every term of each score, and the timing of each stage. */
  readonly explain?: boolean | undefined;
  /** So many messages before and after each hit, 0 to 20: they are in `contexts` of the answer. */
  readonly expandContext?: number | undefined;
  /** How fresh the answer must be; default `strong`. */
  readonly consistency?: Consistency | undefined;
}

export function search(session: Session, query: Query, options: SearchOptions): Hits {
  const request = toRequest(session, query, options);
  const answer: Answer = { hits: [], runs: [] };
  return new Hits(answer, (signal) => responses(session, request, answer, { ...options, signal }), options.signal);
}

async function* responses(
  session: Session,
  request: SearchRequest,
  answer: Answer,
  options: CallOptions,
): AsyncGenerator<Hit[], void> {
  for await (const response of session.wire.stream(SearchService.method.search, request, options)) {
    if (response.summary) answer.summary = response.summary;
    answer.hits.push(...response.hits);
    answer.runs.push(...response.contexts);
    yield response.hits;
  }
  if (!answer.summary) throw new DataLoss("the server ended the answer before its summary: hits may be missing");
}

/** The request of a search. */
export function toRequest(session: Session, query: Query, options: SearchOptions): SearchRequest {
  const { space, mode, k, ranking } = options;
  const spaces = session.parents(space);
  const request = create(SearchRequestSchema, {
    spaces,
    query: toQuery(session, query, typeof space === "string" ? space : undefined),
    mode: mode === undefined ? SearchMode.UNSPECIFIED : modeOf(mode),
    filtering: filtering(options.filter),
    minRelevance: options.minRelevance ?? 0,
    explain: options.explain ?? false,
    consistency: session.consistency(options.consistency ?? "strong", spaces),
  });
  if (options.expandContext !== undefined) request.expandContext = integer("expandContext", options.expandContext);
  if (k !== undefined) request.k = integer("k", k);
  if (ranking) request.ranking = toWeights(ranking);
  return request;
}

function toQuery(session: Session, query: Query, space: string | undefined): SearchRequest["query"] {
  if (typeof query === "string") return { case: "text", value: query };
  if ("text" in query) return { case: "text", value: query.text };
  if ("vector" in query) return { case: "vector", value: toVector(query.vector) };
  return { case: "example", value: session.name(query.example, space) };
}

function modeOf(mode: Mode): SearchMode {
  if (!Object.hasOwn(MODES, mode)) throw new RangeError(`mode: ${mode} is not one of ${Object.keys(MODES).join(", ")}`);
  return MODES[mode];
}
