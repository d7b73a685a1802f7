import assert from "node:assert/strict";
import { setTimeout as after } from "node:timers/promises";
import { test } from "node:test";
import type { HandlerContext } from "@connectrpc/connect";
import { Code } from "@connectrpc/connect";
import { Cancelled, MemoryChange, NotFound, Unavailable, type Change, type Watch } from "@quipu-memory/client";
import { MemoryService, type WatchMemoriesRequest } from "@quipu-memory/client/v1";
import { refusal } from "./details.js";
import { serving, type FakeServer } from "./server.js";

/** What the server tells: revisions of one space, and how far it has come. */
function told(space: string, revision: number, ...made: number[]) {
  const changes = made.map((number) => ({
    revision: { revision: BigInt(number), change: MemoryChange.UPDATED, memory: { name: `${space}/memories/m` } },
    left: number % 2 === 0,
    nonce: 100n + BigInt(number),
  }));
  const reached = BigInt(revision);
  return { space, revision: reached, nonce: 100n + reached, headRevision: reached, changes };
}

async function hold(call: HandlerContext): Promise<void> {
  await after(5_000, undefined, { signal: call.signal }).catch(() => undefined);
}

async function take(watch: Watch, count: number): Promise<Change[]> {
  const changes: Change[] = [];
  while (changes.length < count) changes.push((await watch.next()).value as Change);
  await watch.close();
  return changes;
}

test("changes come with what they are, and without a deadline", async (context) => {
  const asked: [WatchMemoriesRequest, number | undefined][] = [];
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, {
      async *watchMemories(request, call) {
        asked.push([request, call.timeoutMs()]);
        yield told("spaces/a", 2);
        yield told("spaces/a", 4, 3, 4);
        await hold(call);
      },
    });
  });
  const [first, second] = await take(client.watch({ after: { a: 2 }, filter: "x" }), 2);
  assert.deepEqual([first?.space, first?.revision, first?.left], ["spaces/a", 3n, false]);
  assert.equal(first?.change, MemoryChange.UPDATED);
  assert.equal(first?.memory.name, "spaces/a/memories/m");
  assert.equal(second?.left, true);
  const [request, timeoutMs] = asked[0] ?? [];
  assert.deepEqual(request?.spaces, ["spaces/a"]);
  assert.deepEqual(request?.afterRevisions, { "spaces/a": 2n });
  assert.equal(request?.filtering.value, "x");
  assert.equal(timeoutMs, undefined);
});

test("the position is that of what was read", async (context) => {
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, {
      async *watchMemories(_, call) {
        yield* [told("spaces/a", 9), told("spaces/b", 20, 3), told("spaces/a", 12, 10, 11), told("spaces/a", 15)];
        yield told("spaces/a", 16, 16);
        await hold(call);
      },
    });
  });
  const watch = client.watch({ space: ["a", "b"], after: 2 });
  const positions = [watch.position];
  for await (const _ of watch) {
    if (positions.push(watch.position) === 5) break;
  }
  const expected = [[2n, 2n], [9n, 3n], [10n, 20n], [11n, 20n], [16n, 20n]];
  assert.deepEqual(positions, expected.map(([a, b]) => ({ "spaces/a": a, "spaces/b": b })));
});

test("a watch goes on where it was when a connection breaks, however often the server is not ready", async (context) => {
  const begun: unknown[] = [];
  let server: FakeServer | undefined;
  const served = await serving(context, ({ service }) => {
    service(MemoryService, {
      async *watchMemories({ afterRevisions }, call) {
        begun.push(afterRevisions);
        if (begun.length === 2) throw refusal(Code.Unavailable, "NOT_READY");
        const reached = Number(afterRevisions["spaces/a"] ?? 0);
        yield told("spaces/a", reached);
        yield told("spaces/a", reached + 1, reached + 1);
        if (begun.length > 1) throw refusal(Code.Unavailable, "SHUTTING_DOWN");
        await after(20);
        server?.cut();
        await hold(call);
      },
    });
  });
  server = served.server;
  const changes = await take(served.client.watch(), 3);
  assert.deepEqual(changes.map((change) => change.revision), [1n, 2n, 3n]);
  assert.deepEqual(begun, [undefined, 1n, 1n, 2n].map((revision) => (revision ? { "spaces/a": revision } : {})));
});

test("nonces go with the position, also in a token", async (context) => {
  const begun: [unknown, unknown][] = [];
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, {
      async *watchMemories({ afterRevisions, afterNonces }) {
        begun.push([afterRevisions, afterNonces]);
        const reached = Number(afterRevisions["spaces/a"] ?? 0);
        yield told("spaces/a", reached + 1, reached + 1);
        throw refusal(Code.Unavailable, "SHUTTING_DOWN");
      },
    });
  });
  const watch = client.watch();
  await take(watch, 2);
  await take(client.watch({ after: watch.token }), 1);
  assert.deepEqual(begun, [
    [{}, {}],
    [{ "spaces/a": 1n }, { "spaces/a": 101n }],
    [{ "spaces/a": 2n }, { "spaces/a": 102n }],
  ]);
  for (const after of ["", "x", "!!!", "AAAA", "Zm9v"]) assert.throws(() => client.watch({ after }), RangeError);
});

// The tests of the other clients have this token, too.
test("tokens are the same in all languages", async (context) => {
  const token = "EhIKDnNwYWNlcy9kZWZhdWx0EAMqEgoOc3BhY2VzL2RlZmF1bHQQBw";
  const { client } = await serving(context, () => undefined);
  const watch = client.watch({ after: token });
  assert.deepEqual([watch.token, watch.position], [token, { "spaces/default": 3n }]);
});

test("a watch outlives a server that is started again", async (context) => {
  const { client, server } = await serving(context, ({ service }) => {
    service(MemoryService, {
      async *watchMemories({ afterRevisions }, call) {
        const reached = Number(afterRevisions["spaces/a"] ?? 0);
        yield told("spaces/a", reached + 1, reached + 1);
        await hold(call);
      },
    });
  });
  const watch = client.watch();
  assert.equal((await watch.next()).value?.revision, 1n);
  const next = watch.next();
  await server.stop();
  await after(300);
  await server.start();
  assert.equal((await next).value?.revision, 2n);
  await watch.close();
});

test("a watch ends with an error that is not a matter of time", async (context) => {
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, {
      async *watchMemories() {
        yield told("spaces/a", 1, 1);
        throw refusal(Code.NotFound, "SPACE_NOT_FOUND");
      },
    });
  });
  const watch = client.watch();
  await watch.next();
  await assert.rejects(watch.next(), NotFound);
});

test("a watch that never began says so", async (context) => {
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, {
      async *watchMemories() {
        throw refusal(Code.Unavailable, "NOT_READY");
      },
    });
  });
  await assert.rejects(client.watch().next(), Unavailable);
});

test("leaving, a signal and closing the client end a watch", async (context) => {
  let open = 0;
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, {
      async *watchMemories(_, call) {
        open += 1;
        yield told("spaces/a", 1, 1);
        await hold(call);
        open -= 1;
      },
    });
  });
  await take(client.watch(), 1);
  const controller = new AbortController();
  const watch = client.watch({ signal: controller.signal });
  await watch.next();
  const pending = assert.rejects(watch.next(), Cancelled);
  controller.abort();
  await pending;
  const last = client.watch();
  await last.next();
  const closed = assert.rejects(last.next(), Cancelled);
  client.close();
  await closed;
  await after(100);
  assert.equal(open, 0);
});
