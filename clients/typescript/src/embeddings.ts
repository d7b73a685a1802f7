/** Calls to the embedding models of the server. */

import { create } from "@bufbuild/protobuf";
import {
  CountTokensRequestSchema,
  EmbeddingPurpose,
  EmbeddingService,
  EmbedRequestSchema,
  ListModelsRequestSchema,
  type EmbeddingModel,
  type TextEmbedding,
} from "./gen/quipu/v1/embedding_service_pb.js";
import { modelName } from "./names.js";
import type { CallOptions } from "./options.js";
import { present, type Session } from "./session.js";
import { toFloat32Array } from "./values.js";

/** In one call. */
const MOST_TEXTS = 256;

const PURPOSES = { passage: EmbeddingPurpose.PASSAGE, query: EmbeddingPurpose.QUERY } as const;

/** Options of calls to a model. */
export interface ModelOptions extends CallOptions {
  /** Id or name of the model; default: the default one of the server. */
  readonly model?: string | undefined;
}

/** Options of `embed`. */
export interface EmbedOptions extends ModelOptions {
  /** What the vectors are for: to be found, or to look for; default `passage`. */
  readonly purpose?: keyof typeof PURPOSES | undefined;
}

/** One text, or several. */
export type Texts = string | readonly string[];

export async function embed(session: Session, texts: Texts, options: EmbedOptions): Promise<Float32Array[][]> {
  const embeddings: Float32Array[][] = [];
  const purpose = PURPOSES[options.purpose ?? "passage"];
  for (const part of parts(texts)) {
    const request = create(EmbedRequestSchema, { model: modelName(options.model), texts: part, purpose });
    const response = await session.wire.unary(EmbeddingService.method.embed, request, options);
    embeddings.push(...response.embeddings.map(vectorsOf));
  }
  return embeddings;
}

export async function models(session: Session, options: CallOptions): Promise<EmbeddingModel[]> {
  const request = create(ListModelsRequestSchema);
  return (await session.wire.unary(EmbeddingService.method.listModels, request, options)).models;
}

export async function countTokens(session: Session, texts: Texts, options: ModelOptions): Promise<number[]> {
  const counts: number[] = [];
  for (const part of parts(texts)) {
    const request = create(CountTokensRequestSchema, { model: modelName(options.model), texts: part });
    const response = await session.wire.unary(EmbeddingService.method.countTokens, request, options);
    counts.push(...response.tokenCounts);
  }
  return counts;
}

function* parts(texts: Texts): Generator<string[], void> {
  const all = typeof texts === "string" ? [texts] : texts;
  for (let start = 0; start < all.length; start += MOST_TEXTS) yield all.slice(start, start + MOST_TEXTS);
}

function vectorsOf(embedding: TextEmbedding): Float32Array[] {
  return embedding.chunks.map((chunk) => toFloat32Array(present(chunk.vector)));
}
