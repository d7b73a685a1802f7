import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "@quipu-memory/client";

const client = connect();

test("numbers that are not whole are refused with the name of their option", () => {
  for (const k of [1.5, Number.NaN, Infinity, 2 ** 31]) {
    assert.throws(() => client.search("x", { k }), { name: "RangeError", message: /^k: / });
  }
  assert.throws(() => client.list({ pageSize: 0.1 }), { name: "RangeError", message: /^pageSize: / });
  assert.throws(() => client.spaces({ pageSize: 0.1 }), { name: "RangeError", message: /^pageSize: / });
  const consistency = { maxStalenessMs: 0.5 };
  assert.throws(() => client.search("x", { consistency }), { name: "RangeError", message: /^maxStalenessMs: / });
});

test("revisions that are none are refused with the name of their option", () => {
  assert.throws(() => client.watch({ after: 1.5 }), { name: "RangeError", message: /^after: / });
  assert.throws(() => client.watch({ after: { a: 2 ** 60 } }), { name: "RangeError", message: /^after: / });
  assert.throws(() => client.list({ revision: 0.5 }), { name: "RangeError", message: /^revision: / });
  const past = { asOf: Number.NaN };
  assert.throws(() => client.search("x", { consistency: past }), { name: "RangeError", message: /^asOf: / });
  const consistency = { atLeast: { a: 0.5 } };
  assert.throws(() => client.search("x", { consistency }), { name: "RangeError", message: /^atLeast: / });
});
