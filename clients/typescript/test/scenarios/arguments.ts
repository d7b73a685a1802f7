/** Arguments of scenarios, named as in Python, as the options of this client. */

import { fromJson, isMessage, type JsonValue } from "@bufbuild/protobuf";
import { FilterSchema } from "@quipu-memory/client/v1";
import { isMapping, type Mapping } from "./variables.js";

/** Options from arguments. Mappings of users, such as metadata, keep their keys. */
export function toOptions(named: Mapping): Mapping {
  return Object.fromEntries(Object.entries(named).map(([name, value]) => option(name, value)));
}

function option(name: string, value: unknown): [string, unknown] {
  switch (name) {
    case "timeout":
      return ["timeoutMs", Number(value) * 1_000];
    case "recency_half_life":
      return ["recencyHalfLifeMs", Number.parseFloat(String(value)) * 1_000];
    case "older_than":
    case "session_idle_for":
    case "archived_for":
      return [`${camelCase(name)}Ms`, value === null ? null : Number(value) * 1_000];
    case "guard_policy":
      return ["guardPolicy", isMapping(value) ? toOptions(value) : value];
    case "ranking":
      return [name, isMapping(value) ? toOptions(value) : value];
    case "memories":
    case "messages":
      return [name, (value as unknown[]).map((draft) => (isMapping(draft) ? toOptions(draft) : draft))];
    case "consistency":
      return [name, isMapping(value) ? consistency(value) : value];
    case "after":
      return [name, isMapping(value) ? revisions(value) : BigInt(String(value))];
    case "revision":
      return [name, BigInt(String(value))];
    case "filter":
      return [name, isMapping(value) ? fromJson(FilterSchema, value as JsonValue) : value];
    case "memory":
    case "example":
      return [name, isMapping(value) && !isMessage(value) ? value["name"] : value];
    default:
      return [camelCase(name), value];
  }
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function consistency(value: Mapping): Mapping {
  const past = value["as_of"];
  return isMapping(past) ? { asOf: revisions(past) } : { atLeast: revisions(value) };
}

function revisions(mapping: Mapping): Record<string, bigint> {
  return Object.fromEntries(Object.entries(mapping).map(([space, revision]) => [space, BigInt(String(revision))]));
}
