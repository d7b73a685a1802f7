/** TypeScript client of Quipu, the memory service. */

export type { Drafts, DraftLike } from "./bulk.js";
export { Client, connect, type ConnectOptions } from "./client.js";
export type { EmbedOptions, ModelOptions, Texts } from "./embeddings.js";
export * from "./errors.js";
export { metadata, type Changes, type Draft, type Fields, type KindName, type RoleName, type VerdictName } from "./fields.js";
export type { FilterLike } from "./filters.js";
export type { EmbeddingModel } from "./gen/quipu/v1/embedding_service_pb.js";
export { MemoryChange, MemoryKind, Role, Verdict, type Memory, type MemoryRevision } from "./gen/quipu/v1/memory_pb.js";
export type { MemoryUse } from "./gen/quipu/v1/memory_service_pb.js";
export type { Hit, SearchSummary } from "./gen/quipu/v1/search_service_pb.js";
export type { Space } from "./gen/quipu/v1/space_pb.js";
export type { IngestOptions, Outcome } from "./ingests.js";
export type { AddOptions, DeleteOptions, GetOptions, ListOptions, UpdateOptions } from "./memories.js";
export type { MemoryLike } from "./names.js";
export type { CallOptions, SpaceOptions, SpaceWriteOptions, WriteOptions } from "./options.js";
export type { Revision, Revisions } from "./numbers.js";
export type { Ranking } from "./ranking.js";
export { Hits, Results } from "./results.js";
export type { Mode, Query, SearchOptions } from "./searches.js";
export type { Consistency } from "./session.js";
export type {
  CreateSpaceOptions,
  DeleteSpaceOptions,
  ListSpacesOptions,
  SpaceSettings,
  UpdateSpaceOptions,
} from "./spaces.js";
export {
  fromValue,
  toDate,
  toFloat32Array,
  toTimestamp,
  toValue,
  toVector,
  type MetadataValue,
  type PlainValue,
  type Scalar,
  type Time,
  type VectorLike,
} from "./values.js";
export { Watch, type Change, type WatchOptions } from "./watches.js";
