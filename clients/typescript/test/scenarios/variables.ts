/** What the texts of a scenario stand for. */

import { fromJson } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";

export type Mapping = Record<string, unknown>;

const VARIABLE = /\$\{([^}]+)\}/g;
const WHOLE = /^\$\{([^}]+)\}$/;

/** A value of a scenario with variables in place, and `$repeat`, `$count` and `$time` carried out. */
export function fill(template: unknown, variables: Mapping): unknown {
  if (typeof template === "string") return fillText(template, variables);
  if (Array.isArray(template)) return template.map((item) => fill(item, variables));
  if (!isMapping(template)) return template;
  const { $repeat, $count, $time, ...rest } = template;
  if (typeof $repeat === "string") return $repeat.repeat(Number(rest["times"]));
  if (typeof $count === "number") return Array.from({ length: $count }, (_, n) => fill(rest, { ...variables, n }));
  if (typeof $time === "string") return fromJson(TimestampSchema, $time);
  const entries = Object.entries(template).map(([key, value]) => [fill(key, variables), fill(value, variables)]);
  return Object.fromEntries(entries);
}

/** Whether a value is a mapping of YAML or JSON. */
export function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fillText(text: string, variables: Mapping): unknown {
  const whole = WHOLE.exec(text)?.[1];
  if (whole !== undefined) return lookUp(whole, variables);
  return text.replace(VARIABLE, (_, path: string) => String(lookUp(path, variables)));
}

/** Follow a path through fields and places. */
function lookUp(path: string, variables: Mapping): unknown {
  let value: unknown = variables;
  for (const part of path.split(".")) {
    value = (value as Mapping | undefined)?.[part];
    if (value === undefined) throw new Error(`there is no ${part} for \${${path}}`);
  }
  return value;
}
