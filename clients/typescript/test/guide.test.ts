import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const GUIDES = ["../../docs/clients/typescript.md", "README.md"];
const OPTIONS = "--noEmit --strict --noUncheckedIndexedAccess --exactOptionalPropertyTypes --skipLibCheck --target ES2022 --module NodeNext";

test("the examples of the guide and of the README compile", () => {
  const files = GUIDES.map((guide, place) => {
    const text = readFileSync(new URL(guide, `file://${ROOT}`), "utf8");
    const examples = [...text.matchAll(/^```ts\n(.*?)^```/gms)].map((found) => found[1]);
    assert.ok(examples.length > 0, guide);
    const file = `${ROOT}test/dist/guide${place}.ts`;
    writeFileSync(file, examples.join("\n"));
    return file;
  });
  const compiled = spawnSync("node_modules/.bin/tsc", [...OPTIONS.split(" "), ...files], { cwd: ROOT, encoding: "utf8" });
  assert.equal(compiled.status, 0, compiled.stdout);
});
