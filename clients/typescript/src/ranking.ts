/** Weights of ranking as callers give them. */

import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { RankingFormula, RankingWeightsSchema, type RankingWeights } from "./gen/quipu/v1/ranking_pb.js";

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
  /** For messages: of the messages before and after. */
  readonly neighbours?: number | undefined;
  /** For messages: of the session. */
  readonly session?: number | undefined;
  /** For messages: what a message of a user has over others. */
  readonly role?: number | undefined;
  /** Of confidence. */
  readonly confidence?: number | undefined;
  /** Of what was said with `feedback`; 0 turns it off. */
  readonly feedback?: number | undefined;
  /** Of how often a memory was found. */
  readonly use?: number | undefined;
  /** Of freshness in the importance. */
  readonly importanceRecency?: number | undefined;
  /** Of the role in the importance. */
  readonly importanceRole?: number | undefined;
  /** Of the importance that was given, in the importance. */
  readonly importanceExplicit?: number | undefined;
  /** How terms make a score. */
  readonly formula?: "quipu" | "memorymesh" | "memoria" | undefined;
}

const FORMULAS = {
  quipu: RankingFormula.QUIPU,
  memorymesh: RankingFormula.MEMORYMESH,
  memoria: RankingFormula.MEMORIA,
} as const;

/** The weights as a message. */
export function toWeights({ recencyHalfLifeMs, formula, ...weights }: Ranking): RankingWeights {
  const set = Object.fromEntries(Object.entries(weights).filter(([, weight]) => weight !== undefined));
  const message = create(RankingWeightsSchema, set);
  if (recencyHalfLifeMs !== undefined) message.recencyHalfLife = durationFromMs(Math.round(recencyHalfLifeMs));
  if (formula !== undefined) {
    if (!(formula in FORMULAS)) throw new TypeError(`ranking.formula: there is no formula ${formula}`);
    message.formula = FORMULAS[formula];
  }
  return message;
}
