import assert from "node:assert/strict";
import { test } from "node:test";
import { create, isMessage } from "@bufbuild/protobuf";
import { connect, metadata, toDate, type QuipuError } from "@quipu-memory/client";
import {
  AdminService,
  ApiKeyRole,
  EmbeddingService,
  FilterSchema,
  MemoryKind,
  MemoryService,
  Role,
  SearchMode,
  SearchService,
  type BatchCreateMemoriesRequest,
  type CreateMemoryRequest,
  type SearchRequest,
  type UpdateMemoryRequest,
} from "@quipu-memory/client/v1";
import { serving } from "./server.js";

const WHOLE = "7f0f2a52-5a3f-4c1c-9f0c-1d2b6f5c8a02";
/** What Python makes of it: uuid5(UUID(WHOLE), "1"). */
const PART = "3d60791d-f675-5f66-8516-bd52651cc6be";

test("a memory is sent with every field and comes back with plain values", async (context) => {
  const sent: CreateMemoryRequest[] = [];
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, {
      createMemory: (request) => {
        sent.push(request);
        return { memory: request.memory ?? {} };
      },
    });
  });
  const time = new Date("2023-05-08T13:56:00.250Z");
  const values = { text: "Lisbon", number: 0.5, truth: false, time, list: ["a", 1, true], gone: null, left: undefined };
  const added = await client.add("content", {
    id: "m",
    kind: "tool_result",
    role: "assistant",
    tags: ["a"],
    importance: 0,
    eventTime: time,
    metadata: values,
    vector: Float32Array.of(0.5, 1),
    speaker: null,
  });
  const [request] = sent;
  assert.equal(request?.parent, "spaces/a");
  assert.equal(request.memoryId, "m");
  assert.equal(added.kind, MemoryKind.TOOL_RESULT);
  assert.equal(added.role, Role.ASSISTANT);
  assert.equal(added.importance, 0);
  assert.deepEqual(added.vector?.values, [0.5, 1]);
  assert.deepEqual(toDate(added.eventTime), time);
  const { gone, left, ...kept } = values;
  assert.deepEqual(metadata(added), kept);
});

test("the key of the client is sent with every call", async (context) => {
  const keys: (string | null)[] = [];
  const routes = ({ service }: import("@connectrpc/connect").ConnectRouter): void => {
    service(EmbeddingService, {
      listModels: (_, call) => {
        keys.push(call.requestHeader.get("authorization"));
        return {};
      },
    });
  };
  const { client } = await serving(context, routes, { apiKey: "secret" });
  await client.models();
  assert.deepEqual(keys, ["Bearer secret"]);
});

test("many memories go in batches of 100 whose ids follow from that of the whole", async (context) => {
  const sent: BatchCreateMemoriesRequest[] = [];
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, {
      batchCreateMemories: (request) => {
        sent.push(request);
        return { memories: request.requests.map(({ memory }) => memory ?? {}), revision: 1n };
      },
    });
  });
  const notes = Array.from({ length: 150 }, (_, n) => (n ? `note ${n}` : { content: "first", tags: ["a"] }));
  const stored = await client.addMany(notes, { requestId: WHOLE });
  assert.equal(stored.length, 150);
  assert.equal(stored[149]?.content, "note 149");
  assert.deepEqual(sent.map(({ requests }) => requests.length), [100, 50]);
  assert.deepEqual(sent.map(({ requestId }) => requestId), [WHOLE, PART]);
  await assert.rejects(client.addMany(notes, { requestId: "no uuid" }), TypeError);
});

test("an error of many memories says how many were stored", async (context) => {
  let batches = 0;
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, {
      batchCreateMemories: ({ requests }) => {
        if ((batches += 1) === 2) throw new Error("broken");
        return { memories: requests.map(() => ({})), revision: 1n };
      },
    });
  });
  async function* notes(): AsyncGenerator<string> {
    for (let n = 0; n < 250; n++) yield `note ${n}`;
  }
  const pending = client.addMany(notes(), { requestId: WHOLE });
  await assert.rejects(pending, (error: QuipuError) => {
    assert.match(error.message, /the first 100 memories were stored/);
    assert.equal(error.requestId, WHOLE);
    return true;
  });
});

test("large memories go in smaller batches", async (context) => {
  const sizes: number[] = [];
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, {
      batchCreateMemories: ({ requests }) => {
        sizes.push(requests.length);
        return { revision: 1n };
      },
    });
  });
  await client.addMany(Array.from({ length: 5 }, () => "x".repeat(3 << 20)));
  assert.deepEqual(sizes, [2, 2, 1]);
});

test("an update names what it changes", async (context) => {
  const sent: UpdateMemoryRequest[] = [];
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, {
      updateMemory: (request) => {
        sent.push(request);
        return { memory: request.memory ?? {} };
      },
    });
  });
  await client.update("m", { content: "new", speaker: null, eventTime: null, tags: undefined, etag: "e" });
  await client.update("m", { metadata: { set: 1, removed: null }, mergeMetadata: true, allowMissing: true });
  assert.deepEqual(sent[0]?.updateMask?.paths, ["content", "speaker", "event_time"]);
  assert.equal(sent[0]?.memory?.etag, "e");
  assert.deepEqual(sent[1]?.updateMask?.paths, ["metadata.set", "metadata.removed"]);
  assert.deepEqual(Object.keys(sent[1]?.memory?.metadata ?? {}), ["set"]);
});

test("a search is sent with its options, and sees what the client wrote", async (context) => {
  const sent: SearchRequest[] = [];
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, { deleteMemory: () => ({ revision: 7n }) });
    service(SearchService, {
      async *search(request) {
        sent.push(request);
        yield { summary: {} };
      },
    });
  });
  assert.equal(await client.delete("m"), 7n);
  const ranking = { dense: 1, recencyHalfLifeMs: 1_500 };
  await client.search("x", { k: 3, mode: "dense", ranking, consistency: "session" }).all();
  await client.search({ vector: [1, 0] }, { space: ["b", "spaces/c"], consistency: { atLeast: { b: 2 } } }).all();
  const filter = create(FilterSchema, { condition: { case: "isSet", value: "tags" } });
  await client.search({ example: "m" }, { filter, consistency: { maxStalenessMs: 500 } }).all();
  const [first, second, third] = sent;
  assert.equal(first?.k, 3);
  assert.equal(first.mode, SearchMode.DENSE);
  assert.equal(first.ranking?.recencyHalfLife?.nanos, 500_000_000);
  assert.equal(first.ranking.lexical, undefined);
  assert.deepEqual(first.consistency?.level.value, { ...first.consistency?.level.value, revisions: { "spaces/a": 7n } });
  assert.deepEqual(second?.spaces, ["spaces/b", "spaces/c"]);
  assert.equal(second.query.case, "vector");
  assert.equal(third?.query.value, "spaces/a/memories/m");
  assert.ok(isMessage(third.filtering.value, FilterSchema));
  assert.equal(third.consistency?.level.case, "maxStaleness");
});

test("several memories are found by what was given for them", async (context) => {
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, {
      batchGetMemories: ({ names }) => ({ memories: names.slice(1).map((name) => ({ name, content: name })) }),
    });
  });
  const found = await client.getMany(["gone", "m", "spaces/a/memories/n"]);
  assert.deepEqual([...found.keys()], ["m", "spaces/a/memories/n"]);
  assert.equal(found.get("m")?.content, "spaces/a/memories/m");
});

test("texts are embedded 256 in a call, as Float32Array", async (context) => {
  const sizes: number[] = [];
  const { client } = await serving(context, ({ service }) => {
    service(EmbeddingService, {
      embed: ({ texts }) => {
        sizes.push(texts.length);
        return { embeddings: texts.map(() => ({ chunks: [{ vector: { values: [1, 0] } }] })) };
      },
    });
  });
  const embedded = await client.embed(Array.from({ length: 300 }, String), { purpose: "query" });
  assert.deepEqual(sizes, [256, 44]);
  assert.deepEqual(embedded[299], [Float32Array.of(1, 0)]);
});

test("a client is disposed of at the end of its block", async (context) => {
  const { server } = await serving(context, ({ service }) => service(EmbeddingService, { listModels: () => ({}) }));
  const client = connect(server.address);
  await client.models();
  await client[Symbol.asyncDispose]();
  await assert.rejects(client.models());
});

test("a key is created as asked, and only what is given of it is changed", async (context) => {
  const masks: (string[] | undefined)[] = [];
  const { client } = await serving(context, ({ service }) => {
    service(AdminService, {
      createApiKey: ({ parent, apiKey }) => ({ apiKey: apiKey ?? {}, secret: parent }),
      updateApiKey: ({ apiKey, updateMask }) => {
        masks.push(updateMask?.paths);
        return { apiKey: apiKey ?? {} };
      },
    });
  });
  const limits = { requests: { count: 1000, seconds: 60 } };
  const { key, secret } = await client.admin.createApiKey("acme", "read", { limits, spacePrefixes: ["team-"] });
  assert.equal(secret, "tenants/acme");
  assert.equal(key.role, ApiKeyRole.READ);
  assert.deepEqual(key.spacePrefixes, ["team-"]);
  assert.equal(key.limits?.requests?.count, 1000n);
  assert.equal(key.limits.requests.window?.seconds, 60n);
  await client.admin.updateApiKey("tenants/acme/apiKeys/k", { role: "write", expireTime: null });
  assert.deepEqual(masks, [["expire_time", "role"]]);
});

test("a tenant has a guard of its own", async (context) => {
  const masks: (string[] | undefined)[] = [];
  const { client } = await serving(context, ({ service }) => {
    service(AdminService, {
      createTenant: ({ tenant }) => ({ tenant: tenant ?? {} }),
      updateTenant: ({ tenant, updateMask }) => {
        masks.push(updateMask?.paths);
        return { tenant: tenant ?? {} };
      },
    });
  });
  const guardPolicy = { redactPersonal: true, region: "DE" };
  const made = await client.admin.createTenant("acme", { guardPolicy });
  assert.equal(made.guardPolicy?.redactPersonal, true);
  assert.equal(made.guardPolicy.blockSecrets, false);
  assert.equal(made.guardPolicy.region, "DE");
  const cleared = await client.admin.updateTenant("acme", { guardPolicy: null });
  assert.equal(cleared.guardPolicy, undefined);
  assert.deepEqual(masks, [["guard_policy"]]);
});
