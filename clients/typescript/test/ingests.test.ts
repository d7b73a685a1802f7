import assert from "node:assert/strict";
import { setTimeout as after } from "node:timers/promises";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { Cancelled, connect, InvalidArgument, NotFound, Unavailable } from "@quipu-memory/client";
import { IngestState, MemoryService, type IngestItem, type IngestMemoriesRequest } from "@quipu-memory/client/v1";
import { refusal } from "./details.js";
import { serving } from "./server.js";

const STREAM = "6e8f3d0a-6d0b-4d7e-9d38-3a2f6e1f2b10";

function acknowledged({ offset, memoryId, memory }: IngestItem) {
  if (!memory?.content) {
    const value = { code: Code.InvalidArgument, reason: "INVALID_FIELD", message: "is empty", field: "memory.content" };
    return { acknowledgements: [{ offset, outcome: { case: "refused" as const, value } }] };
  }
  const state = memoryId ? IngestState.STORED : IngestState.SEARCHABLE;
  const value = { name: `spaces/a/memories/${memoryId || offset}`, revision: offset + 1n, state };
  return { acknowledgements: [{ offset, outcome: { case: "stored" as const, value } }] };
}

/** A server that acknowledges items one by one; the first call ends after some. */
function keeper(leaveAfter = Infinity) {
  const starts: unknown[] = [];
  const calls: bigint[][] = [];
  async function* ingestMemories(requests: AsyncIterable<IngestMemoriesRequest>) {
    const offsets: bigint[] = [];
    const isFirst = calls.push(offsets) === 1;
    for await (const { message } of requests) {
      if (message.case === "start") starts.push([message.value.parent, message.value.streamId]);
      if (message.case !== "item") continue;
      if (isFirst && offsets.length === leaveAfter) throw refusal(Code.Unavailable, "SHUTTING_DOWN");
      offsets.push(message.value.offset);
      yield acknowledged(message.value);
    }
  }
  return { starts, calls, ingestMemories };
}

test("each memory has an outcome", async (context) => {
  const { starts, ingestMemories } = keeper();
  const { client } = await serving(context, ({ service }) => service(MemoryService, { ingestMemories }));
  const progress: number[] = [];
  const notes = ["one", { id: "two", content: "" }, { id: "x", content: "three" }];
  const onProgress = (count: number) => progress.push(count);
  const [first, second, third] = await client.ingest(notes, { streamId: STREAM, onProgress }).all();
  assert.deepEqual(first, { offset: 0, name: "spaces/a/memories/0", revision: 1n, searchable: true, redactions: [] });
  assert.equal(third?.name, "spaces/a/memories/x");
  assert.equal(third.searchable, false);
  assert.ok(second?.error instanceof InvalidArgument);
  assert.deepEqual([second.error.reason, second.error.fields], ["INVALID_FIELD", ["memory.content"]]);
  assert.deepEqual(progress, [1, 2, 3]);
  assert.deepEqual(starts, [["spaces/a", STREAM]]);
});

test("no more is read than may wait", async (context) => {
  const { ingestMemories } = keeper();
  const { client } = await serving(context, ({ service }) => service(MemoryService, { ingestMemories }));
  let read = 0;
  async function* notes() {
    for (; read < 2_000; read++) yield `note ${read}`;
  }
  let told = 0;
  for await (const { offset } of client.ingest(notes())) {
    assert.equal(offset, told++);
    assert.ok(read <= told + 512);
  }
  assert.equal(told, 2_000);
});

test("what was not acknowledged is sent again", async (context) => {
  const { starts, calls, ingestMemories } = keeper(30);
  const { client } = await serving(context, ({ service }) => service(MemoryService, { ingestMemories }));
  async function* notes() {
    for (let n = 0; n < 100; n++) {
      if (n % 10 === 0) await after(5);
      yield `note ${n}`;
    }
  }
  const outcomes = await client.ingest(notes()).all();
  assert.deepEqual(outcomes.map(({ offset }) => offset), [...Array(100).keys()]);
  assert.deepEqual(calls.flat().map(Number), [...Array(100).keys()]);
  assert.equal(calls.length, 2);
  assert.deepEqual(starts[0], starts[1]);
});

test("other errors end it and name the stream", async (context) => {
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, { ingestMemories: () => { throw refusal(Code.NotFound, "SPACE_NOT_FOUND"); } });
  });
  const named = (error: unknown) => error instanceof NotFound && error.requestId === STREAM;
  await assert.rejects(client.ingest(["x"], { streamId: STREAM }).all(), named);
});

test("a server that stays away is unavailable", async () => {
  const client = connect("127.0.0.1:1");
  await assert.rejects(client.ingest(["x"], { timeoutMs: 1 }).all(), Unavailable);
  client.close();
});

test("an error of the source is thrown as it is", async (context) => {
  const { ingestMemories } = keeper();
  const { client } = await serving(context, ({ service }) => service(MemoryService, { ingestMemories }));
  async function* notes() {
    yield "one";
    throw new Unavailable("of the source");
  }
  await assert.rejects(client.ingest(notes()).all(), /of the source/);
});

test("leaving and a signal end an ingestion", async (context) => {
  const { ingestMemories } = keeper();
  const { client } = await serving(context, ({ service }) => service(MemoryService, { ingestMemories }));
  let isClosed = false;
  async function* endless() {
    try {
      for (;;) yield "note";
    } finally {
      isClosed = true;
    }
  }
  for await (const { offset } of client.ingest(endless())) if (offset === 9) break;
  assert.ok(isClosed);
  const controller = new AbortController();
  const outcomes = client.ingest(endless(), { signal: controller.signal });
  await outcomes.next();
  controller.abort();
  await assert.rejects(outcomes.all(), Cancelled);
});
