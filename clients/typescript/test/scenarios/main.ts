/** The runner of scenarios (clients/scenarios): `npm run scenarios`, in the environment that their README lists. */

import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { play, type Scenario } from "./player.js";

const folder = setting("QUIPU_SCENARIOS");
const report = setting("QUIPU_REPORT");
const stage = {
  addresses: { first: setting("QUIPU_ADDRESS"), second: setting("QUIPU_SECOND_ADDRESS") },
  secured: { address: setting("QUIPU_SECURED_ADDRESS"), masterKey: setting("QUIPU_SECURED_MASTER_KEY") },
  restartUrl: setting("QUIPU_RESTART"),
};

for (const file of readdirSync(folder).sort()) {
  if (!file.endsWith(".yaml")) continue;
  const scenario = parse(readFileSync(join(folder, file), "utf8")) as Scenario;
  const message = await play(scenario, stage).catch(String);
  const line = JSON.stringify({ scenario: scenario.scenario, passed: !message, message });
  appendFileSync(report, `${line}\n`);
  if (message) {
    console.error(`${scenario.scenario}: ${message}`);
    process.exitCode = 1;
  }
}

function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}
