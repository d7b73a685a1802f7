import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const GUIDES = ["../../docs/clients/typescript.md", "README.md"];
const OPTIONS = "--noEmit --strict --noUncheckedIndexedAccess --exactOptionalPropertyTypes --skipLibCheck --target ES2022 --module NodeNext";

for (const guide of GUIDES) {
  test(`the examples of ${guide} compile`, () => {
    const text = readFileSync(new URL(guide, `file://${ROOT}`), "utf8");
    const examples = [...text.matchAll(/^```ts\n(.*?)^```/gms)].map((found) => found[1]);
    assert.ok(examples.length > 0);
    const file = `${ROOT}test/dist/guide.ts`;
    writeFileSync(file, examples.join("\n"));
    const compiled = spawnSync("node_modules/.bin/tsc", [...OPTIONS.split(" "), file], { cwd: ROOT, encoding: "utf8" });
    assert.equal(compiled.status, 0, compiled.stdout);
  });
}
