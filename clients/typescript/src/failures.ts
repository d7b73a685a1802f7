/** What the transport throws, as errors of this client. */

import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import * as errors from "./errors.js";
import type { ErrorFacts, QuipuError } from "./errors.js";
import type { IngestRefusal } from "./gen/quipu/v1/memory_service_pb.js";
import { BadRequestSchema, ErrorInfoSchema, ResourceInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";

/** What is known of a call when it fails. */
export interface FailedCall {
  readonly address: string;
  readonly signals: readonly AbortSignal[];
  readonly requestId: string | undefined;
}

const CLASSES: Readonly<Record<Code, typeof QuipuError>> = {
  [Code.Canceled]: errors.Cancelled,
  [Code.Unknown]: errors.Unknown,
  [Code.InvalidArgument]: errors.InvalidArgument,
  [Code.DeadlineExceeded]: errors.DeadlineExceeded,
  [Code.NotFound]: errors.NotFound,
  [Code.AlreadyExists]: errors.AlreadyExists,
  [Code.PermissionDenied]: errors.PermissionDenied,
  [Code.ResourceExhausted]: errors.ResourceExhausted,
  [Code.FailedPrecondition]: errors.FailedPrecondition,
  [Code.Aborted]: errors.Aborted,
  [Code.OutOfRange]: errors.OutOfRange,
  [Code.Unimplemented]: errors.Unimplemented,
  [Code.Internal]: errors.Internal,
  [Code.Unavailable]: errors.Unavailable,
  [Code.DataLoss]: errors.DataLoss,
  [Code.Unauthenticated]: errors.Unauthenticated,
};

/** The error for what a call threw. */
export function errorFrom(thrown: unknown, call: FailedCall): QuipuError {
  if (thrown instanceof errors.QuipuError) return thrown;
  const cancelled = cancellation(call);
  if (cancelled) return cancelled;
  const failed = ConnectError.from(thrown);
  const facts = { ...factsOf(failed), requestId: call.requestId, cause: thrown };
  const said = failed.rawMessage || Code[failed.code];
  if (isAnswer(failed)) return new CLASSES[failed.code](said, facts);
  const server = `the server at ${call.address}`;
  if (failed.code === Code.Unavailable) return new errors.Unavailable(`${server} cannot be reached: ${said}`, facts);
  if (isBroken(failed)) return new errors.Unavailable(`the connection to ${server} broke: ${said}`, facts);
  return new CLASSES[failed.code](said, facts);
}

/** The error for an item of a stream that was refused. */
export function refusalError(refused: IngestRefusal | undefined, streamId: string): QuipuError {
  const { code = Code.Unknown, reason = "", message = "", field = "", metadata = {} } = refused ?? {};
  const fieldViolations = field ? [{ field, description: message }] : [];
  const refusal = CLASSES[code as Code] ?? errors.Unknown;
  return new refusal(message, { reason, metadata, fieldViolations, requestId: streamId });
}

/** The error for a call whose caller no longer wants it. */
export function cancellation(call: FailedCall): QuipuError | undefined {
  const aborted = call.signals.find((signal) => signal.aborted);
  return aborted && new errors.Cancelled("the call was cancelled", { requestId: call.requestId, cause: aborted.reason });
}

/** Whether a server sent this status: it came in headers or trailers. */
function isAnswer(failed: ConnectError): boolean {
  return failed.metadata.has("grpc-status");
}

/**
 * Whether the connection broke. Connect gives such errors various codes: Canceled when a stream ends with its connection,
 * Internal when an answer ends before its status, Aborted and others with the error of Node.js that caused them.
 */
function isBroken(failed: ConnectError): boolean {
  const isCut = failed.code === Code.Canceled || failed.rawMessage === "protocol error: missing status";
  return isCut || hasNodeCode(failed.cause);
}

function hasNodeCode(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  return ("code" in cause && typeof cause.code === "string") || hasNodeCode(cause.cause);
}

/** Read the messages of google.rpc that came with an error. */
function factsOf(failed: ConnectError): ErrorFacts {
  const info = failed.findDetails(ErrorInfoSchema)[0];
  const request = failed.findDetails(BadRequestSchema)[0];
  const retryDelay = failed.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return {
    reason: info?.reason ?? "",
    metadata: info?.metadata ?? {},
    fieldViolations: request?.fieldViolations.map(({ field, description }) => ({ field, description })) ?? [],
    resource: failed.findDetails(ResourceInfoSchema)[0]?.resourceName,
    retryAfterMs: retryDelay && durationMs(retryDelay),
    callId: failed.metadata.get("x-request-id") ?? undefined,
  };
}
