/** What the transport throws, as errors of this client. */

import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import * as errors from "./errors.js";
import type { ErrorFacts, QuipuError } from "./errors.js";
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
  const failed = ConnectError.from(thrown);
  const facts = { ...factsOf(failed), requestId: call.requestId, cause: thrown };
  const aborted = call.signals.find((signal) => signal.aborted);
  if (aborted) return new errors.Cancelled("the call was cancelled", { ...facts, cause: aborted.reason });
  if (!isAnswer(failed) && (failed.code === Code.Unavailable || isLost(failed))) {
    return new errors.Unavailable(`the server at ${call.address} cannot be reached: ${failed.rawMessage}`, facts);
  }
  return new CLASSES[failed.code](failed.rawMessage || Code[failed.code], facts);
}

/** Whether a server sent this status: it came in headers or trailers. */
function isAnswer(failed: ConnectError): boolean {
  return failed.metadata.has("grpc-status");
}

/**
 * Whether the connection broke. Connect gives such errors various codes, Aborted and Internal among them; what they have
 * in common is the error of Node.js that caused them, or the end of the answer before its status.
 */
function isLost(failed: ConnectError): boolean {
  return hasNodeCode(failed.cause) || failed.rawMessage === "protocol error: missing status";
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
