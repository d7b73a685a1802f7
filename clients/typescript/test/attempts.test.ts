import assert from "node:assert/strict";
import { setTimeout as after } from "node:timers/promises";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { Cancelled, connect, DeadlineExceeded, NotFound, Unavailable } from "@quipu-memory/client";
import { MemoryService, SearchService } from "@quipu-memory/client/v1";
import { refusal, retryAfter } from "./details.js";
import { serving } from "./server.js";

const MEMORY = { memory: { name: "spaces/a/memories/m", content: "x", revision: 1n } };

test("a write is attempted again with the same request id", async (context) => {
  const ids: string[] = [];
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, {
      createMemory: ({ requestId }) => {
        ids.push(requestId);
        if (ids.length < 3) throw refusal(Code.Unavailable, "OVERLOADED");
        return MEMORY;
      },
    });
  });
  assert.equal((await client.add("x")).content, "x");
  assert.equal(ids.length, 3);
  assert.equal(new Set(ids).size, 1);
  assert.match(ids[0] ?? "", /^[0-9a-f-]{36}$/);
});

test("there are five attempts, and no fewer milliseconds between them than the server asks for", async (context) => {
  const times: number[] = [];
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, {
      getMemory: () => {
        times.push(performance.now());
        throw refusal(Code.Unavailable, "OVERLOADED", {}, retryAfter(450));
      },
    });
  });
  await assert.rejects(client.get("m"), (error) => error instanceof Unavailable && error.reason === "OVERLOADED");
  assert.equal(times.length, 5);
  assert.ok((times[1] ?? 0) - (times[0] ?? 0) >= 440);
});

test("other errors are not attempted again", async (context) => {
  let attempts = 0;
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, {
      getMemory: () => {
        attempts += 1;
        throw refusal(Code.NotFound, "MEMORY_NOT_FOUND");
      },
    });
  });
  await assert.rejects(client.get("m"), NotFound);
  assert.equal(attempts, 1);
});

test("a client finds a server again that was stopped and started", async (context) => {
  const { client, server } = await serving(context, ({ service }) => service(MemoryService, { getMemory: () => MEMORY }));
  await client.get("m");
  await server.stop();
  const pending = client.get("m");
  await after(500);
  await server.start();
  assert.equal((await pending).content, "x");
});

test("a write on a connection that breaks is attempted again", async (context) => {
  const ids: string[] = [];
  const { client, server } = await serving(context, ({ service }) => {
    service(MemoryService, {
      createMemory: async ({ requestId }) => {
        ids.push(requestId);
        if (ids.length === 1) {
          server.cut();
          await after(50);
        }
        return MEMORY;
      },
    });
  });
  assert.equal((await client.add("x")).content, "x");
  assert.equal(ids.length, 2);
  assert.equal(ids[0], ids[1]);
});

test("a stream that has begun is not attempted again", async (context) => {
  let attempts = 0;
  const { client, server } = await serving(context, ({ service }) => {
    service(SearchService, {
      async *search() {
        attempts += 1;
        yield { hits: [{ score: 1 }] };
        await after(50);
        server.cut();
        await after(50);
      },
    });
  });
  const hits = client.search("x");
  assert.equal((await hits.next()).done, false);
  await assert.rejects(hits.next(), Unavailable);
  assert.equal(attempts, 1);
});

test("a stream that has not begun is attempted again", async (context) => {
  let attempts = 0;
  const { client } = await serving(context, ({ service }) => {
    service(SearchService, {
      async *search() {
        attempts += 1;
        if (attempts === 1) throw refusal(Code.Unavailable, "NOT_READY");
        yield { hits: [{ score: 1 }], summary: { complete: true } };
      },
    });
  });
  assert.equal((await client.search("x").all()).length, 1);
  assert.equal(attempts, 2);
});

test("a server that is not there is unavailable, and the error names it", async () => {
  const client = connect("127.0.0.1:1", { timeoutMs: 300 });
  await assert.rejects(client.get("m"), (error: Error) => {
    assert.ok(error instanceof Unavailable);
    assert.match(error.message, /the server at 127.0.0.1:1 cannot be reached: .*ECONNREFUSED/);
    assert.equal(error.retryable, true);
    return true;
  });
  client.close();
});

test("a call ends at its deadline, which the server is told", async (context) => {
  const told: (number | undefined)[] = [];
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, {
      getMemory: async (_, call) => {
        told.push(call.timeoutMs());
        await after(2_000, undefined, { signal: call.signal }).catch(() => undefined);
        return MEMORY;
      },
    });
  });
  await assert.rejects(client.get("m", { timeoutMs: 100 }), DeadlineExceeded);
  await assert.rejects(client.get("m", { timeoutMs: 0.001 }), DeadlineExceeded);
  assert.equal(told.length, 1);
  assert.ok((told[0] ?? Infinity) <= 100);
});

test("a signal cancels a call, on its way and while it waits for another attempt", async (context) => {
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, {
      getMemory: async (_, call) => {
        await after(2_000, undefined, { signal: call.signal }).catch(() => undefined);
        return MEMORY;
      },
      undeleteMemory: () => Promise.reject(refusal(Code.Unavailable, "NOT_READY", {}, retryAfter(900))),
    });
  });
  for (const call of ["get", "undelete"] as const) {
    const controller = new AbortController();
    const pending = client[call]("m", { signal: controller.signal });
    setTimeout(() => controller.abort("changed my mind"), 50);
    await assert.rejects(pending, (error) => error instanceof Cancelled && error.cause === "changed my mind");
  }
  await assert.rejects(client.get("m", { signal: AbortSignal.abort() }), Cancelled);
});

test("closing a client cancels its calls", async (context) => {
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, { getMemory: () => after(2_000, MEMORY, { ref: false }) });
  });
  const pending = client.get("m");
  setTimeout(() => client.close(), 50);
  await assert.rejects(pending, Cancelled);
  await assert.rejects(client.get("m"), Cancelled);
});
