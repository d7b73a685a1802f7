/** TypeScript client of Quipu, the memory service. */

export {
  Admin,
  type ApiKeyChanges,
  type ApiKeyRoleName,
  type ApiKeySettings,
  type GuardSettings,
  type LimitLike,
  type LimitsLike,
  type NewSecret,
  type TenantSettings,
} from "./admin.js";
export type { AddManyOptions, Drafts, DraftLike } from "./bulk.js";
export { Client, connect, type ConnectOptions } from "./client.js";
export type { EmbedOptions, ModelOptions, Texts } from "./embeddings.js";
export * from "./errors.js";
export { metadata, type Changes, type Draft, type Fields, type KindName, type RoleName, type VerdictName } from "./fields.js";
export type { FilterLike } from "./filters.js";
export type { AuditEntry } from "./gen/quipu/v1/admin_service_pb.js";
export { ApiKeyRole, type ApiKey } from "./gen/quipu/v1/api_key_pb.js";
export type { EmbeddingModel } from "./gen/quipu/v1/embedding_service_pb.js";
export { JobState, type Job } from "./gen/quipu/v1/job_pb.js";
export {
  MemoryChange,
  MemoryKind,
  RedactionKind,
  Role,
  Verdict,
  type Memory,
  type MemoryRevision,
  type Redaction,
} from "./gen/quipu/v1/memory_pb.js";
export type { MemoryUse } from "./gen/quipu/v1/memory_service_pb.js";
export { RetentionAction, type RetentionPolicy } from "./gen/quipu/v1/retention_policy_pb.js";
export type { ErasureCounts, ErasureReceipt, RunRetentionResponse } from "./gen/quipu/v1/retention_service_pb.js";
export { PackedSource, type Citation, type Hit, type LeftOut, type SearchSummary } from "./gen/quipu/v1/search_service_pb.js";
export type { Session } from "./gen/quipu/v1/session_pb.js";
export type { Space } from "./gen/quipu/v1/space_pb.js";
export type { Tenant } from "./gen/quipu/v1/tenant_pb.js";
export { IndexSegmentKind, IndexState, type IndexDescription } from "./gen/quipu/v1/index_service_pb.js";
export type { DescribeIndexOptions } from "./indexes.js";
export type { IngestOptions, Outcome } from "./ingests.js";
export type { ListJobsOptions, RunJobOptions } from "./jobs.js";
export type { AddOptions, DeleteOptions, GetOptions, ListOptions, UpdateOptions } from "./memories.js";
export type { JobLike, MemoryLike } from "./names.js";
export type { CallOptions, DeferOptions, SpaceOptions, SpaceWriteOptions, WriteOptions } from "./options.js";
export type { Revision, Revisions } from "./numbers.js";
export type { Ranking } from "./ranking.js";
export type { Pack, PackOptions } from "./packs.js";
export type {
  CreatePolicyOptions,
  DeletePolicyOptions,
  ListPoliciesOptions,
  PolicyLike,
  PolicySettings,
  RunRetentionOptions,
  UpdatePolicyOptions,
} from "./policies.js";
export { Hits, Results, type Context, type ContextMessage } from "./results.js";
export type { ArchiveOptions, EraseOptions } from "./retention.js";
export type { Mode, Query, SearchOptions } from "./searches.js";
export type { Consistency } from "./session.js";
export type {
  MessagesOptions,
  SessionSettings,
  SessionsOptions,
  UpdateSessionOptions,
  Window,
  WindowOptions,
} from "./sessions.js";
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
