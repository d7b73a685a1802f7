/** Errors of the service: one class for each status code. */

/** A field with a value that is not allowed. */
export interface FieldViolation {
  /** Its path in the request, such as `memory.importance`. */
  readonly field: string;
  /** What is wrong, for people. */
  readonly description: string;
}

/** What an error says besides its code and its message. */
export interface ErrorFacts {
  readonly reason?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly fieldViolations?: readonly FieldViolation[];
  readonly resource?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly requestId?: string | undefined;
  readonly callId?: string | undefined;
  readonly cause?: unknown;
}

/** What went wrong. `error instanceof NotFound` tells statuses apart, `error.reason` their cases. */
export class QuipuError extends Error {
  /** The status of this class by its gRPC name. */
  static readonly code: string = "UNKNOWN";

  /** The status by its gRPC name, such as `NOT_FOUND`. */
  readonly code: string;
  /**
   * Name of a value of `ErrorReason` without its prefix, such as `MEMORY_NOT_FOUND`; empty when the error did not come
   * from a Quipu server.
   */
  readonly reason: string;
  /** Facts for programs, as listed with the reason. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Which fields are wrong, if any. */
  readonly fieldViolations: readonly FieldViolation[];
  /** Name of the resource that is missing or in the way, such as `spaces/a/memories/b`. */
  readonly resource: string | undefined;
  /** Milliseconds after which the same request may succeed; undefined when that is not known. */
  readonly retryAfterMs: number | undefined;
  /** Id of the write that failed: with it the same write can be sent again without a second effect. */
  requestId: string | undefined;
  /** What the log of the server has the call under; undefined when no server answered. */
  readonly callId: string | undefined;

  constructor(message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = new.target.name;
    this.code = new.target.code;
    this.reason = facts.reason ?? "";
    this.metadata = facts.metadata ?? {};
    this.fieldViolations = facts.fieldViolations ?? [];
    this.resource = facts.resource;
    this.retryAfterMs = facts.retryAfterMs;
    this.requestId = facts.requestId;
    this.callId = facts.callId;
  }

  /** Paths of the fields that are wrong. */
  get fields(): string[] {
    return this.fieldViolations.map((violation) => violation.field);
  }

  /** Whether the same request may succeed later. The client has made several attempts already if it may. */
  get retryable(): boolean {
    return this.code === "UNAVAILABLE" || this.retryAfterMs !== undefined || this.reason === "WRITE_CONFLICT";
  }
}

/** The call was cancelled: by its signal, by `close()`, or by the server. */
export class Cancelled extends QuipuError {
  static override readonly code = "CANCELLED";
}

/** An error without a status. */
export class Unknown extends QuipuError {
  static override readonly code = "UNKNOWN";
}

/** A field has a value that is not allowed; see `fieldViolations`. */
export class InvalidArgument extends QuipuError {
  static override readonly code = "INVALID_ARGUMENT";
}

/** The time given for the call is over. */
export class DeadlineExceeded extends QuipuError {
  static override readonly code = "DEADLINE_EXCEEDED";
}

/** There is no such memory, space or model. */
export class NotFound extends QuipuError {
  static override readonly code = "NOT_FOUND";
}

/** There is such a memory or space already, or the request id was used for another request. */
export class AlreadyExists extends QuipuError {
  static override readonly code = "ALREADY_EXISTS";
}

/** The credential does not allow this. */
export class PermissionDenied extends QuipuError {
  static override readonly code = "PERMISSION_DENIED";
}

/** There is no credential, or a bad one. */
export class Unauthenticated extends QuipuError {
  static override readonly code = "UNAUTHENTICATED";
}

/** A quota or limit is used up. */
export class ResourceExhausted extends QuipuError {
  static override readonly code = "RESOURCE_EXHAUSTED";
}

/** The state of a resource does not allow this. */
export class FailedPrecondition extends QuipuError {
  static override readonly code = "FAILED_PRECONDITION";
}

/** Somebody else wrote first: read again and decide again. */
export class Aborted extends QuipuError {
  static override readonly code = "ABORTED";
}

/** The revision does not exist yet, or is no longer kept. */
export class OutOfRange extends QuipuError {
  static override readonly code = "OUT_OF_RANGE";
}

/** The server does not know this call. */
export class Unimplemented extends QuipuError {
  static override readonly code = "UNIMPLEMENTED";
}

/** A defect of the server; its log has the details under `callId`. */
export class Internal extends QuipuError {
  static override readonly code = "INTERNAL";
}

/** The server cannot be reached or cannot answer now, and did not after several attempts. */
export class Unavailable extends QuipuError {
  static override readonly code = "UNAVAILABLE";
}

/** An answer was cut short. */
export class DataLoss extends QuipuError {
  static override readonly code = "DATA_LOSS";
}
