/** Errors as a server of Quipu sends them. */

import { create, toBinary, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, ResourceInfoSchema, RetryInfoSchema } from "#error-details";

type Detail = ConnectError["details"][number];

/** An error with the details of google.rpc. */
export function refusal(code: Code, reason: string, metadata: Record<string, string> = {}, ...details: Detail[]): ConnectError {
  const error = new ConnectError(`refused: ${reason}`, code, { "x-request-id": "call-1" });
  error.details = [detail(ErrorInfoSchema, { reason, domain: "quipu", metadata }), ...details];
  return error;
}

export function wrongField(field: string, description: string): Detail {
  return detail(BadRequestSchema, { fieldViolations: [{ field, description }] });
}

export function resource(resourceName: string): Detail {
  return detail(ResourceInfoSchema, { resourceType: "memory", resourceName });
}

export function retryAfter(milliseconds: number): Detail {
  return detail(RetryInfoSchema, { retryDelay: { seconds: 0n, nanos: milliseconds * 1e6 } });
}

function detail<S extends DescMessage>(schema: S, value: MessageInitShape<S>): Detail {
  return { type: schema.typeName, value: toBinary(schema, create(schema, value)) as Uint8Array<ArrayBuffer> };
}
