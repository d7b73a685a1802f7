/** What is not as a scenario expects it. */

import { isMapping, type Mapping } from "./variables.js";

const SHOWN = 200;

const MATCHERS: Record<string, (found: unknown, wanted: never) => boolean> = {
  $any: (found) => found !== undefined && found !== null,
  $none: (found) => found === undefined || found === null,
  $size: (found, wanted: number) => sizeOf(found) === wanted,
  $least: (found, wanted: number) => toNumber(found) >= wanted,
  $most: (found, wanted: number) => toNumber(found) <= wanted,
  $has: (found, wanted: unknown) => has(found, wanted),
};

/** How a result differs from what was expected of it; empty when it does not. */
export function mismatches(wanted: unknown, found: unknown, path = "result"): string[] {
  if (Array.isArray(wanted)) return listMismatches(wanted, found, path);
  if (!isMapping(wanted)) {
    return isEqual(wanted, found) ? [] : [`${path}: expected ${show(wanted)}, found ${show(found)}`];
  }
  const entries = Object.entries(wanted);
  if (entries.some(([key]) => key.startsWith("$"))) return entries.flatMap((entry) => special(...entry, found, path));
  if (!isMapping(found)) return [`${path}: expected fields, found ${show(found)}`];
  return entries.flatMap(([key, value]) => mismatches(value, own(found, key), `${path}.${key}`));
}

/** How an error differs from what was expected of it. */
export function errorMismatches(wanted: Mapping, found: Mapping): string[] {
  return Object.entries(wanted).flatMap(([fact, value]) => {
    if (fact !== "fields") return mismatches(value, found[fact], fact);
    return mismatches([...(value as string[])].sort(), [...(found[fact] as string[])].sort(), fact);
  });
}

function listMismatches(wanted: unknown[], found: unknown, path: string): string[] {
  if (!Array.isArray(found) || found.length !== wanted.length) {
    return [`${path}: expected a list of ${wanted.length}, found ${show(found)}`];
  }
  return wanted.flatMap((item, place) => mismatches(item, found[place], `${path}.${place}`));
}

function special(name: string, wanted: unknown, found: unknown, path: string): string[] {
  const matches = MATCHERS[name];
  if (!matches) throw new Error(`there is no ${name}`);
  return matches(found, wanted as never) ? [] : [`${path}: expected ${name} ${show(wanted)}, found ${show(found)}`];
}

function own(mapping: Mapping, key: string): unknown {
  return Object.hasOwn(mapping, key) ? mapping[key] : undefined;
}

function sizeOf(value: unknown): number | undefined {
  if (Array.isArray(value)) return value.length;
  return typeof value === "string" ? [...value].length : undefined;
}

/** The number that a value is, also where JSON writes it as text; NaN for none. */
function toNumber(value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "string" && value.trim() ? Number(value) : Number.NaN;
}

function isEqual(wanted: unknown, found: unknown): boolean {
  if (typeof wanted === "number" || typeof found === "number") return toNumber(wanted) === toNumber(found);
  return wanted === found;
}

function has(found: unknown, wanted: unknown): boolean {
  if (Array.isArray(found)) return found.some((item) => mismatches(wanted, item).length === 0);
  return typeof found === "string" && typeof wanted === "string" && found.includes(wanted);
}

function show(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}… (${text.length} characters)`;
}
