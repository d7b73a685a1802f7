/** Options that many calls take. */

/** Options of every call. */
export interface CallOptions {
  /** Cancels the call, which then fails with `Cancelled`. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for the call, attempts included; default: those of the client. */
  readonly timeoutMs?: number | undefined;
}

/** Options of calls in one space. */
export interface SpaceOptions extends CallOptions {
  /** Id or name of the space; default: that of the client. */
  readonly space?: string | undefined;
}

/** Options of calls that change something. */
export interface WriteOptions extends CallOptions {
  /**
   * A UUID that makes the call idempotent for 7 days: the same id with the same request gives the first answer again;
   * with another request it fails with `AlreadyExists`. Default: a new one, so that the client can try again.
   */
  readonly requestId?: string | undefined;
}

/** Options of calls that add memories. */
export interface DeferOptions {
  /** Do not wait for the model: what is added is found by words only until a job has embedded it. */
  readonly deferEmbedding?: boolean | undefined;
}

/** Options of calls that change something in one space. */
export interface SpaceWriteOptions extends SpaceOptions, WriteOptions {}
