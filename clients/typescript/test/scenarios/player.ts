/** Plays a scenario through the client. */

import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { connect, QuipuError, type Client } from "@quipu-memory/client";
import { call, facts } from "./calls.js";
import { errorMismatches, mismatches } from "./matching.js";
import { fill, type Mapping } from "./variables.js";

/** One operation of a client, and what must come of it. */
export interface Step {
  readonly do: string;
  readonly with?: Mapping;
  readonly client?: string;
  readonly key?: string;
  readonly take?: number;
  readonly as?: string;
  readonly expect?: unknown;
  readonly error?: Mapping;
}

/** A row of the table. */
export interface Scenario {
  readonly scenario: string;
  readonly steps: readonly Step[];
}

/** Where scenarios are played. */
export interface Stage {
  readonly addresses: Readonly<Record<string, string>>;
  readonly secured: { readonly address: string; readonly masterKey: string };
  readonly restartUrl: string;
}

/** Play the steps in a new space until one fails; return what is wrong, empty when nothing is. */
export async function play({ steps }: Scenario, stage: Stage): Promise<string> {
  const space = `scenario-${randomUUID().replaceAll("-", "")}`;
  const clients = new Map(Object.entries(stage.addresses).map(([name, address]) => [name, connect(address, { space })]));
  const variables: Mapping = { space, master_key: stage.secured.masterKey };
  const clientOf = ({ client = "first", key }: Step): Client | undefined => {
    if (client !== "secured") return clients.get(client);
    const apiKey = key === undefined ? undefined : String(fill(key, variables));
    const name = `secured ${apiKey}`;
    const found = clients.get(name) ?? connect(stage.secured.address, { space, apiKey });
    clients.set(name, found);
    return found;
  };
  try {
    for (const [place, step] of steps.entries()) {
      const wrong = await playStep(step, clientOf, variables, stage);
      if (wrong.length) return `step ${place + 1}, ${step.do}: ${wrong.join("; ")}`;
    }
  } finally {
    for (const client of clients.values()) client.close();
  }
  return "";
}

async function playStep(
  step: Step,
  clientOf: (step: Step) => Client | undefined,
  variables: Mapping,
  stage: Stage,
): Promise<string[]> {
  try {
    if (step.do === "restart") {
      await restart(stage.restartUrl);
      return [];
    }
    if (step.do === "wait") {
      await setTimeout(Number(step.with?.["seconds"]) * 1_000);
      return [];
    }
    const client = clientOf(step);
    if (!client) return [`there is no client ${step.client}`];
    const result = await call(client, step.do, fill(step.with ?? {}, variables) as Mapping, step.take);
    if (step.error) return [`expected ${step.error["code"]}, but there was no error`];
    if (step.as) variables[step.as] = result;
    return "expect" in step ? mismatches(fill(step.expect, variables), result) : [];
  } catch (error) {
    if (step.error && error instanceof QuipuError) return refusal(fill(step.error, variables) as Mapping, error);
    return [String(error)];
  }
}

function refusal(expected: Mapping, error: QuipuError): string[] {
  return errorMismatches(expected, facts(error));
}

async function restart(url: string): Promise<void> {
  const response = await fetch(url, { method: "POST" });
  if (!response.ok) throw new Error(`the restart failed: ${response.status} ${await response.text()}`);
}
