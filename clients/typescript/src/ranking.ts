/** Weights of ranking as callers give them. */

import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { RankingWeightsSchema, type RankingWeights } from "./gen/quipu/v1/ranking_pb.js";

/** Weights of the terms of a score, each 0 to 10; what is left out keeps its default. */
export interface Ranking {
  /** Of meaning, in hybrid mode. */
  readonly dense?: number | undefined;
  /** Of words, in hybrid mode. */
  readonly lexical?: number | undefined;
  /** Of importance; 0 turns the term off. */
  readonly importance?: number | undefined;
  /** Of recency; 0 turns the term off. */
  readonly recency?: number | undefined;
  /** The age in milliseconds at which recency has fallen to one half; at least 1,000. */
  readonly recencyHalfLifeMs?: number | undefined;
}

/** The weights as a message. */
export function toWeights({ recencyHalfLifeMs, ...weights }: Ranking): RankingWeights {
  const set = Object.fromEntries(Object.entries(weights).filter(([, weight]) => weight !== undefined));
  const message = create(RankingWeightsSchema, set);
  if (recencyHalfLifeMs !== undefined) message.recencyHalfLife = durationFromMs(Math.round(recencyHalfLifeMs));
  return message;
}
