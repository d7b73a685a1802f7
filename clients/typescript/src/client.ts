/** The client, and how to get one. */

import type { ConnectionOptions } from "node:tls";
import { Admin } from "./admin.js";
import * as bulk from "./bulk.js";
import * as embeddings from "./embeddings.js";
import type { EmbeddingModel } from "./gen/quipu/v1/embedding_service_pb.js";
import type { Job } from "./gen/quipu/v1/job_pb.js";
import type { IndexDescription } from "./gen/quipu/v1/index_service_pb.js";
import type { VerdictName } from "./fields.js";
import type { Memory, MemoryRevision } from "./gen/quipu/v1/memory_pb.js";
import type { MemoryUse } from "./gen/quipu/v1/memory_service_pb.js";
import type { RetentionPolicy } from "./gen/quipu/v1/retention_policy_pb.js";
import type { ErasureReceipt, RunRetentionResponse } from "./gen/quipu/v1/retention_service_pb.js";
import type { Space } from "./gen/quipu/v1/space_pb.js";
import * as indexes from "./indexes.js";
import * as ingests from "./ingests.js";
import * as jobs from "./jobs.js";
import * as memories from "./memories.js";
import type { JobLike, MemoryLike } from "./names.js";
import type { CallOptions, SpaceOptions, SpaceWriteOptions } from "./options.js";
import type { Hits, Results } from "./results.js";
import * as packs from "./packs.js";
import * as policies from "./policies.js";
import * as retention from "./retention.js";
import * as searches from "./searches.js";
import { Session } from "./session.js";
import * as sessions from "./sessions.js";
import * as spaces from "./spaces.js";
import * as watches from "./watches.js";
import { Wire } from "./wire.js";

const DEFAULT_ADDRESS = "localhost:50051";
const DEFAULT_SPACE = "default";
const DEFAULT_TIMEOUT_MS = 30_000;

/** Options of a client. */
export interface ConnectOptions {
  /** Sent with every call, as `authorization: Bearer {key}`; use it together with TLS. */
  readonly apiKey?: string | undefined;
  /** The space that calls without one mean; default `default`. */
  readonly space?: string | undefined;
  /** Milliseconds for calls that bring none, attempts included; Infinity for no limit; default 30,000. */
  readonly timeoutMs?: number | undefined;
  /** Speak TLS: true for the usual authorities, or options of `node:tls` such as `ca`, `cert` and `key`. */
  readonly tls?: boolean | ConnectionOptions | undefined;
}

/**
 * Give a client; it connects at its first call.
 *
 * @param address host and port; default `localhost:50051`.
 * @throws TypeError when that is no address.
 */
export function connect(address: string = DEFAULT_ADDRESS, options: ConnectOptions = {}): Client {
  const { apiKey, space = DEFAULT_SPACE, timeoutMs = DEFAULT_TIMEOUT_MS, tls = false } = options;
  return new Client(new Session(new Wire({ address, apiKey, timeoutMs, tls }), space));
}

/**
 * A client, made by `connect`. Any number of calls may be under way at once.
 *
 * A memory is given as its id, its full name, or itself. All calls fail with a QuipuError of the class of their status,
 * and throw TypeError or RangeError for arguments that cannot be sent.
 */
export class Client {
  readonly #session: Session;

  /** @internal */
  constructor(session: Session) {
    this.#session = session;
  }

  /** Store a memory and return it as stored. The space is made if there is none. Fails with `AlreadyExists`. */
  add(content: string, options: memories.AddOptions = {}): Promise<Memory> {
    return memories.add(this.#session, content, options);
  }

  /**
   * Store memories in batches, each all or none, one after the other, and return them as stored. `timeoutMs` counts for
   * each batch.
   *
   * An error says how many memories were stored before it. With the same request id and the same memories in the same
   * order, what was stored before is not stored again.
   */
  addMany(drafts: bulk.Drafts, options: bulk.AddManyOptions = {}): Promise<Memory[]> {
    return bulk.addMany(this.#session, drafts, options);
  }

  /**
   * Store memories as they come, however many, each on its own, and tell what became of each, in their order.
   *
   * Nothing is stored before the first outcome is asked for; `.all()` stores everything. One that is refused has an
   * error in its outcome, and leaves the others. When the server goes away, what it did not acknowledge is sent again by
   * itself. No more than 512 memories are read beyond the last outcome.
   */
  ingest(drafts: bulk.Drafts, options: ingests.IngestOptions = {}): Results<ingests.Outcome> {
    return ingests.ingest(this.#session, drafts, options);
  }

  /** Return a memory, as it is now or was at a revision. Fails with `NotFound`, and `OutOfRange` for the future. */
  get(memory: MemoryLike, options: memories.GetOptions = {}): Promise<Memory> {
    return memories.get(this.#session, memory, options);
  }

  /** Return those memories that exist, by the ids or names that were given. */
  getMany(ids: readonly string[], options: SpaceOptions = {}): Promise<Map<string, Memory>> {
    return memories.getMany(this.#session, ids, options);
  }

  /** List the memories of a space as it is when the first page is fetched. `timeoutMs` counts for each page. */
  list(options: memories.ListOptions = {}): Results<Memory> {
    return memories.list(this.#session, options);
  }

  /** Change the fields that are given; null clears one. Fails with `NotFound`, and `Aborted` when `etag` is old. */
  update(memory: MemoryLike, options: memories.UpdateOptions): Promise<Memory> {
    return memories.update(this.#session, memory, options);
  }

  /**
   * Delete a memory and return the revision of the deletion. Its history stays. Fails with `NotFound`, and `Aborted`
   * when `etag` is old.
   */
  delete(memory: MemoryLike, options: memories.DeleteOptions = {}): Promise<bigint> {
    return memories.delete(this.#session, memory, options);
  }

  /** Bring a deleted memory back. Fails with `NotFound`, and `FailedPrecondition` when it is not deleted. */
  undelete(memory: MemoryLike, options: SpaceWriteOptions = {}): Promise<Memory> {
    return memories.undelete(this.#session, memory, options);
  }

  /** Say whether a memory was of use: it moves in later searches. Fails with `NotFound`. */
  feedback(memory: MemoryLike, verdict: VerdictName, options: SpaceWriteOptions = {}): Promise<Memory> {
    return memories.feedback(this.#session, memory, verdict, options);
  }

  /** How often memories of one space, 1 to 1,000, were found by searches, in their order; a minute old at most. */
  uses(named: readonly MemoryLike[], options: SpaceOptions = {}): Promise<MemoryUse[]> {
    return memories.uses(this.#session, named, options);
  }

  /**
   * Take a memory out of use: no search finds it, and nothing changes it, but it can be read and brought back. Fails with
   * `NotFound`, `Aborted` when `etag` is old, and `FailedPrecondition` when it is archived.
   */
  archive(memory: MemoryLike, options: retention.ArchiveOptions = {}): Promise<Memory> {
    return retention.archive(this.#session, memory, options);
  }

  /** Bring an archived memory back. Fails with `NotFound`, and `FailedPrecondition` when it is not archived. */
  unarchive(memory: MemoryLike, options: SpaceWriteOptions = {}): Promise<Memory> {
    return retention.unarchive(this.#session, memory, options);
  }

  /**
   * Destroy memories for good, with their history, vectors and copies. The receipt counts what went, and what was found
   * of it afterwards.
   */
  erase(options: retention.EraseOptions): Promise<ErasureReceipt> {
    return retention.erase(this.#session, options);
  }

  /** Create a policy of retention with this id. Fails with `AlreadyExists`, `InvalidArgument`, `NotFound` for the space. */
  createRetentionPolicy(policy: string, options: policies.CreatePolicyOptions): Promise<RetentionPolicy> {
    return policies.createPolicy(this.#session, policy, options);
  }

  /** Return a policy. Fails with `NotFound`. */
  getRetentionPolicy(policy: policies.PolicyLike, options: SpaceOptions = {}): Promise<RetentionPolicy> {
    return policies.getPolicy(this.#session, policy, options);
  }

  /** List the policies that apply to a space, in the order in which they are tried. `timeoutMs` counts for each page. */
  retentionPolicies(options: policies.ListPoliciesOptions = {}): Results<RetentionPolicy> {
    return policies.policies(this.#session, options);
  }

  /** Change the settings that are given. Fails with `NotFound`, and `Aborted` when `etag` is old. */
  updateRetentionPolicy(policy: policies.PolicyLike, options: policies.UpdatePolicyOptions): Promise<RetentionPolicy> {
    return policies.updatePolicy(this.#session, policy, options);
  }

  /** Delete a policy; what it did stays done. Fails with `NotFound`, and `Aborted` when `etag` is old. */
  deleteRetentionPolicy(policy: policies.PolicyLike, options: policies.DeletePolicyOptions = {}): Promise<void> {
    return policies.deletePolicy(this.#session, policy, options);
  }

  /**
   * Apply the policies now; tell how far it has come, and at the end what came of it. It is a job, which goes on when the
   * reader stops; another one of the tenant waits for its end. Without `timeoutMs` it takes its time. Fails with `Aborted`
   * when it failed or was cancelled.
   */
  runRetention(options: policies.RunRetentionOptions = {}): Results<RunRetentionResponse> {
    return policies.runRetention(this.#session, options);
  }

  /** List what was done to a memory, newest first; it may be deleted. `timeoutMs` counts for each page. */
  history(memory: MemoryLike, options: SpaceOptions = {}): Results<MemoryRevision> {
    return memories.history(this.#session, memory, options);
  }

  /** Find memories, best first. Fails with `NotFound` when there is no such space, and `DataLoss` when cut short. */
  search(query: searches.Query, options: searches.SearchOptions = {}): Hits {
    return searches.search(this.#session, query, options);
  }

  /** Make a text for a prompt within a budget of tokens: a session's newest messages, hits, and what is around them. */
  pack(text: string, options: packs.PackOptions): Promise<packs.Pack> {
    return packs.pack(this.#session, text, options);
  }

  /**
   * Append up to 500 messages to a session, all or none, in their order, and return them as stored. Space and session are
   * made if there are none. Fails with `FailedPrecondition` when the session was ended.
   */
  append(session: string, messages: readonly bulk.DraftLike[], options: SpaceWriteOptions = {}): Promise<Memory[]> {
    return sessions.append(this.#session, session, messages, options);
  }

  /** Return a session with its statistics. Fails with `NotFound`. */
  getSession(session: string, options: SpaceOptions = {}): Promise<sessions.Conversation> {
    return sessions.getSession(this.#session, session, options);
  }

  /** List the sessions of a space. `timeoutMs` counts for each page. */
  sessions(options: sessions.SessionsOptions = {}): Results<sessions.Conversation> {
    return sessions.sessions(this.#session, options);
  }

  /** List the messages of a session as it is when the first page is fetched. `timeoutMs` counts for each page. */
  messages(session: string, options: sessions.MessagesOptions = {}): Results<Memory> {
    return sessions.messages(this.#session, session, options);
  }

  /** Return the newest messages of a session that fit a budget, oldest first; none is cut. Fails with `NotFound`. */
  window(session: string, options: sessions.WindowOptions): Promise<sessions.Window> {
    return sessions.window(this.#session, session, options);
  }

  /** Change what a session has beside its messages. Fails with `NotFound`, and `Aborted` when `etag` is old. */
  updateSession(session: string, options: sessions.UpdateSessionOptions): Promise<sessions.Conversation> {
    return sessions.updateSession(this.#session, session, options);
  }

  /** End a session: nothing can be appended any more. Fails with `NotFound`. */
  endSession(session: string, options: SpaceOptions = {}): Promise<sessions.Conversation> {
    return sessions.endSession(this.#session, session, options);
  }

  /** Delete a session and its messages, and return how many those were. Fails with `NotFound`. */
  deleteSession(session: string, options: SpaceWriteOptions = {}): Promise<bigint> {
    return sessions.deleteSession(this.#session, session, options);
  }

  /**
   * Follow changes, for ever: each once and in the order of its space, those made before and those to come.
   *
   * When the server goes away after it has answered once, the watch goes on by itself where it was as soon as there is a
   * server again. Fails with `NotFound`, also when a space is deleted; `OutOfRange`; `Unavailable` when no server ever
   * answered.
   */
  watch(options: watches.WatchOptions = {}): watches.Watch {
    return watches.watch(this.#session, options);
  }

  /** Create a space, which is only needed for settings. Fails with `AlreadyExists`. */
  createSpace(space: string, options: spaces.CreateSpaceOptions = {}): Promise<Space> {
    return spaces.createSpace(this.#session, space, options);
  }

  /** Return a space; default: that of the client. Fails with `NotFound`. */
  getSpace(space?: string, options: CallOptions = {}): Promise<Space> {
    return spaces.getSpace(this.#session, space, options);
  }

  /** List the spaces by id. `timeoutMs` counts for each page. */
  spaces(options: spaces.ListSpacesOptions = {}): Results<Space> {
    return spaces.spaces(this.#session, options);
  }

  /** Change the settings that are given. Fails with `NotFound`, and `Aborted` when `etag` is old. */
  updateSpace(space: string, options: spaces.UpdateSpaceOptions): Promise<Space> {
    return spaces.updateSpace(this.#session, space, options);
  }

  /**
   * Destroy a space for good and return how many memories went with it. Fails with `FailedPrecondition` when it has
   * memories and `force` is not set.
   */
  deleteSpace(space: string, options: spaces.DeleteSpaceOptions = {}): Promise<bigint> {
    return spaces.deleteSpace(this.#session, space, options);
  }

  /**
   * Embed texts as the server does for its own use. `timeoutMs` counts for each 256 texts.
   *
   * @returns for each text its vectors, of unit length: one for a text within the window of the model, several for a
   * longer one.
   */
  embed(texts: embeddings.Texts, options: embeddings.EmbedOptions = {}): Promise<Float32Array[][]> {
    return embeddings.embed(this.#session, texts, options);
  }

  /** List the models of the server, the default one first. */
  models(options: CallOptions = {}): Promise<EmbeddingModel[]> {
    return embeddings.models(this.#session, options);
  }

  /** Count the tokens of each text, without special tokens. `timeoutMs` counts for each 256 texts. */
  countTokens(texts: embeddings.Texts, options: embeddings.ModelOptions = {}): Promise<number[]> {
    return embeddings.countTokens(this.#session, texts, options);
  }

  /** The calls that administer tenants and keys. */
  get admin(): Admin {
    return new Admin(this.#session);
  }

  /** Start a job on a space, or return the one that waits to do the same. Fails with `InvalidArgument`, `NotFound`. */
  runJob(kind: string, options: jobs.RunJobOptions = {}): Promise<Job> {
    return jobs.runJob(this.#session, kind, options);
  }

  /** Start the job that gives a space another embedding model; searches use the old one until it is done. */
  changeModel(model: string, options: SpaceOptions = {}): Promise<Job> {
    return jobs.runJob(this.#session, "change-model", { ...options, arguments: { model } });
  }

  /** Start the job that gives a space the model it had before. */
  revertModel(options: SpaceOptions = {}): Promise<Job> {
    return jobs.runJob(this.#session, "revert-model", options);
  }

  /** Start the job that removes the vectors of models that a space has not; then there is no way back. */
  dropOldVectors(options: SpaceOptions = {}): Promise<Job> {
    return jobs.runJob(this.#session, "drop-old-vectors", options);
  }

  /** Return a job as it is now. Fails with `NotFound`. */
  getJob(job: JobLike, options: CallOptions = {}): Promise<Job> {
    return jobs.getJob(this.#session, job, options);
  }

  /** List jobs, newest first; of all spaces without one. `timeoutMs` counts for each page. */
  jobs(options: jobs.ListJobsOptions = {}): Results<Job> {
    return jobs.jobs(this.#session, options);
  }

  /** Ask for the end of a job and return it as it is then: one that runs ends a little later. Fails with `NotFound`. */
  cancelJob(job: JobLike, options: CallOptions = {}): Promise<Job> {
    return jobs.cancelJob(this.#session, job, options);
  }

  /** Give a job as it is, and again after each change until it has ended. `timeoutMs` is for the whole. */
  watchJob(job: JobLike, options: CallOptions = {}): Results<Job> {
    return jobs.watchJob(this.#session, job, options);
  }

  /**
   * Describe what the server that answers holds of a space in memory, by default that of the client. Fails with
   * `NotFound`.
   */
  describeIndex(space?: string, options: indexes.DescribeIndexOptions = {}): Promise<IndexDescription> {
    return indexes.describeIndex(this.#session, space, options);
  }

  /** End the connection and the calls on it, which fail with `Cancelled`. An open connection keeps Node.js running. */
  close(): void {
    this.#session.wire.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
