import assert from "node:assert/strict";
import { setTimeout as after } from "node:timers/promises";
import { test } from "node:test";
import { Cancelled, DataLoss } from "@quipu-memory/client";
import { MemoryService, SearchService } from "@quipu-memory/client/v1";
import { serving } from "./server.js";

function page(from: number, to: number): { memories: { content: string }[] } {
  return { memories: Array.from({ length: to - from }, (_, n) => ({ content: `note ${from + n}` })) };
}

test("a listing goes through all pages with the same request", async (context) => {
  const asked: [string, string, number][] = [];
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, {
      listMemories: ({ pageToken, orderBy, pageSize }) => {
        asked.push([pageToken, orderBy, pageSize]);
        if (pageToken === "") return { ...page(0, 2), nextPageToken: "one" };
        return pageToken === "one" ? { ...page(2, 2), nextPageToken: "two" } : page(2, 3);
      },
    });
  });
  const listed = await client.list({ orderBy: "event_time", descending: true, pageSize: 2 }).all();
  assert.deepEqual(listed.map((memory) => memory.content), ["note 0", "note 1", "note 2"]);
  assert.deepEqual(asked, ["", "one", "two"].map((token) => [token, "event_time desc", 2]));
});

test("pages are fetched only as they are needed", async (context) => {
  let pages = 0;
  const { client } = await serving(context, ({ service }) => {
    service(MemoryService, { listMemories: () => ({ ...page(0, 2), nextPageToken: String((pages += 1)) }) });
  });
  const listing = client.list();
  assert.equal(pages, 0);
  for await (const memory of listing) {
    if (memory.content === "note 1") break;
  }
  assert.equal(pages, 1);
  assert.deepEqual(await listing.next(), { done: true, value: undefined });
});

test("a search gives its hits and then its summary", async (context) => {
  const { client } = await serving(context, ({ service }) => {
    service(SearchService, {
      async *search() {
        yield { hits: [{ score: 2 }, { score: 1 }] };
        yield { hits: [{ score: 0 }], summary: { hitCount: 3, complete: true } };
      },
    });
  });
  const hits = client.search("x");
  assert.throws(() => hits.summary, /after the last hit/);
  const scores: number[] = [];
  for await (const hit of hits) scores.push(hit.score);
  assert.deepEqual(scores, [2, 1, 0]);
  assert.equal(hits.summary.hitCount, 3);
});

test("an answer without its summary is an error", async (context) => {
  const { client } = await serving(context, ({ service }) => {
    service(SearchService, {
      async *search() {
        yield { hits: [{ score: 1 }] };
      },
    });
  });
  await assert.rejects(client.search("x").all(), DataLoss);
});

test("leaving the loop ends the call on the server", async (context) => {
  const ended = new AbortController();
  const { client } = await serving(context, ({ service }) => {
    service(SearchService, {
      async *search(_, call) {
        call.signal.addEventListener("abort", () => ended.abort());
        while (!call.signal.aborted) {
          yield { hits: [{ score: 1 }] };
          await after(5);
        }
      },
    });
  });
  let seen = 0;
  for await (const _ of client.search("x")) {
    if ((seen += 1) === 3) break;
  }
  await after(100);
  assert.ok(ended.signal.aborted);
  client.close();
  assert.ok(!process.getActiveResourcesInfo().includes("Timeout"), "a timer keeps Node.js running");
});

test("a signal cancels a search between its hits", async (context) => {
  const { client } = await serving(context, ({ service }) => {
    service(SearchService, {
      async *search(_, call) {
        yield { hits: [{ score: 1 }] };
        await after(2_000, undefined, { signal: call.signal }).catch(() => undefined);
      },
    });
  });
  const controller = new AbortController();
  const hits = client.search("x", { signal: controller.signal });
  await hits.next();
  setTimeout(() => controller.abort(), 20);
  await assert.rejects(hits.next(), Cancelled);
});

test("closing an answer ends a read that is under way", async (context) => {
  const { client } = await serving(context, ({ service }) => {
    service(SearchService, {
      async *search(_, call) {
        await after(2_000, undefined, { signal: call.signal }).catch(() => undefined);
        yield { hits: [] };
      },
    });
  });
  const hits = client.search("x");
  const pending = assert.rejects(hits.next(), Cancelled);
  await after(30);
  await hits.close();
  await pending;
});
