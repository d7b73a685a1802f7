import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import * as quipu from "@quipu-memory/client";
import { MemoryService } from "@quipu-memory/client/v1";
import { refusal, resource, retryAfter, wrongField } from "./details.js";
import { serving } from "./server.js";

async function failing(context: import("node:test").TestContext, error: Error): Promise<quipu.QuipuError> {
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, { getMemory: () => Promise.reject(error) });
  });
  return client.get("m").then(
    () => assert.fail("there was no error"),
    (failed: quipu.QuipuError) => failed,
  );
}

test("an error has its class, reason, metadata and resource", async (context) => {
  const name = "spaces/a/memories/m";
  const error = await failing(context, refusal(Code.NotFound, "MEMORY_NOT_FOUND", { name }, resource(name)));
  assert.ok(error instanceof quipu.NotFound);
  assert.ok(error instanceof quipu.QuipuError);
  assert.equal(error.name, "NotFound");
  assert.equal(error.code, "NOT_FOUND");
  assert.equal(error.reason, "MEMORY_NOT_FOUND");
  assert.equal(error.message, "refused: MEMORY_NOT_FOUND");
  assert.deepEqual(error.metadata, { name });
  assert.equal(error.resource, name);
  assert.equal(error.callId, "call-1");
  assert.equal(error.retryable, false);
});

test("an error names the fields that are wrong", async (context) => {
  const wrong = wrongField("memory.importance", "must be 0 to 1");
  const error = await failing(context, refusal(Code.InvalidArgument, "INVALID_FIELD", {}, wrong));
  assert.ok(error instanceof quipu.InvalidArgument);
  assert.deepEqual(error.fields, ["memory.importance"]);
  assert.deepEqual(error.fieldViolations, [{ field: "memory.importance", description: "must be 0 to 1" }]);
});

test("an error says when to try again", async (context) => {
  const error = await failing(context, refusal(Code.ResourceExhausted, "", {}, retryAfter(1_500 % 1_000)));
  assert.ok(error instanceof quipu.ResourceExhausted);
  assert.equal(error.retryAfterMs, 500);
  assert.equal(error.retryable, true);
});

test("a write conflict may be sent again, an old etag not", async (context) => {
  assert.equal((await failing(context, refusal(Code.Aborted, "WRITE_CONFLICT"))).retryable, true);
  assert.equal((await failing(context, refusal(Code.Aborted, "ETAG_MISMATCH"))).retryable, false);
});

test("every status has a class with its gRPC name", async (context) => {
  const codes: Record<string, [Code, typeof quipu.QuipuError]> = {
    CANCELLED: [Code.Canceled, quipu.Cancelled],
    UNKNOWN: [Code.Unknown, quipu.Unknown],
    DEADLINE_EXCEEDED: [Code.DeadlineExceeded, quipu.DeadlineExceeded],
    ALREADY_EXISTS: [Code.AlreadyExists, quipu.AlreadyExists],
    PERMISSION_DENIED: [Code.PermissionDenied, quipu.PermissionDenied],
    FAILED_PRECONDITION: [Code.FailedPrecondition, quipu.FailedPrecondition],
    ABORTED: [Code.Aborted, quipu.Aborted],
    OUT_OF_RANGE: [Code.OutOfRange, quipu.OutOfRange],
    UNIMPLEMENTED: [Code.Unimplemented, quipu.Unimplemented],
    INTERNAL: [Code.Internal, quipu.Internal],
    DATA_LOSS: [Code.DataLoss, quipu.DataLoss],
    UNAUTHENTICATED: [Code.Unauthenticated, quipu.Unauthenticated],
  };
  for (const [name, [code, expected]] of Object.entries(codes)) {
    const error = await failing(context, refusal(code, "R"));
    assert.ok(error instanceof expected, name);
    assert.equal(error.code, name);
  }
});

test("the id of a write that failed is in the error", async (context) => {
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, { createMemory: () => Promise.reject(refusal(Code.Internal, "INTERNAL")) });
  });
  const requestId = "7f0f2a52-5a3f-4c1c-9f0c-1d2b6f5c8a02";
  await assert.rejects(client.add("x", { requestId }), (error: quipu.QuipuError) => error.requestId === requestId);
});

test("arguments that cannot be sent are refused at once, naming the field", async () => {
  const client = quipu.connect();
  await assert.rejects(client.add(1 as never), /TypeError: content: needs a string/);
  await assert.rejects(client.add("x", { kind: "odd" as never }), /RangeError: kind: odd is not one of/);
  await assert.rejects(client.add("x", { colour: "red" } as never), /TypeError: colour is not a field/);
  await assert.rejects(client.add("x", { eventTime: new Date("no date") }), /RangeError: eventTime: /);
  await assert.rejects(client.add("x", { metadata: { a: {} as never } }), /TypeError: metadata: metadata can hold/);
  await assert.rejects(client.add("x", { metadata: { a: Number.NaN } }), /RangeError: metadata: NaN/);
  assert.throws(() => client.search("x", { mode: "odd" as never }), RangeError);
  assert.throws(() => quipu.connect("no address"), TypeError);
  client.close();
});
