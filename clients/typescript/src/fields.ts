/** What callers say of a memory as plain options, and what a memory says as plain values. */

import { create } from "@bufbuild/protobuf";
import { MemoryKind, MemorySchema, Role, Verdict, type Memory } from "./gen/quipu/v1/memory_pb.js";
import {
  fromValue,
  toTimestamp,
  toValue,
  toVector,
  type MetadataValue,
  type PlainValue,
  type Time,
  type VectorLike,
} from "./values.js";

export const KINDS = {
  episodic: MemoryKind.EPISODIC,
  semantic: MemoryKind.SEMANTIC,
  procedural: MemoryKind.PROCEDURAL,
  profile: MemoryKind.PROFILE,
  working: MemoryKind.WORKING,
  tool_result: MemoryKind.TOOL_RESULT,
} as const;

const VERDICTS = {
  useful: Verdict.USEFUL,
  irrelevant: Verdict.IRRELEVANT,
  outdated: Verdict.OUTDATED,
  wrong: Verdict.WRONG,
} as const;
const ROLES = { user: Role.USER, assistant: Role.ASSISTANT, system: Role.SYSTEM, tool: Role.TOOL } as const;

/** The sorts of memory. */
export type KindName = keyof typeof KINDS;

/** Who spoke. */
export type RoleName = keyof typeof ROLES;
export type VerdictName = keyof typeof VERDICTS;

/** What a memory has beside its content, as described at `Memory`. Null stands for: not set. */
export interface Fields {
  /** What sort of memory this is; default `episodic`. */
  readonly kind?: KindName | null | undefined;
  /** Who spoke, when the memory is a message. */
  readonly role?: RoleName | null | undefined;
  /** Name of the speaker or author, at most 256 bytes. Part of the indexed text. */
  readonly speaker?: string | null | undefined;
  /** Id of the session the memory belongs to: letters, digits, `.`, `_`, `~`, `-`, at most 128. */
  readonly session?: string | null | undefined;
  /** At most 64 labels of 1 to 128 bytes. */
  readonly tags?: readonly string[] | null | undefined;
  /** Values to filter by: at most 64 keys of 1 to 128 bytes. A key with null is left out. */
  readonly metadata?: Readonly<Record<string, MetadataValue | null | undefined>> | null | undefined;
  /** How much the memory matters, 0 to 1; default 0.5. */
  readonly importance?: number | null | undefined;
  /** When the thing happened or was said. */
  readonly eventTime?: Time | null | undefined;
  /** From this time on the memory is never returned; it must lie in the future. */
  readonly expireTime?: Time | null | undefined;
  /** A vector made with the model of the space, instead of embedding the content. */
  readonly vector?: VectorLike | null | undefined;
}

/** The fields to change; null clears a field, undefined leaves it. */
export interface Changes extends Fields {
  /** What is remembered: 1 to 32,768 bytes. */
  readonly content?: string | undefined;
}

/** A memory to add. */
export interface Draft extends Fields {
  /** What is remembered: 1 to 32,768 bytes. */
  readonly content: string;
  /** Letters, digits, `.`, `_`, `~`, `-`, at most 128; without it the server makes one that sorts by time. */
  readonly id?: string | undefined;
}

type Writers = { readonly [K in keyof Changes]-?: (memory: Memory, value: NonNullable<Changes[K]>) => void };

const WRITERS: Writers = {
  content: (memory, content) => (memory.content = text(content)),
  kind: (memory, kind) => (memory.kind = numberOf(KINDS, kind)),
  role: (memory, role) => (memory.role = numberOf(ROLES, role)),
  speaker: (memory, speaker) => (memory.speaker = text(speaker)),
  session: (memory, session) => (memory.session = text(session)),
  tags: (memory, tags) => (memory.tags = texts(tags)),
  metadata: (memory, metadata) => (memory.metadata = toMetadata(metadata)),
  importance: (memory, importance) => (memory.importance = importance),
  eventTime: (memory, time) => (memory.eventTime = toTimestamp(time)),
  expireTime: (memory, time) => (memory.expireTime = toTimestamp(time)),
  vector: (memory, vector) => (memory.vector = toVector(vector)),
};

/** Build a memory. Throws TypeError and RangeError, naming the field. */
export function toMemory(fields: Changes): Memory {
  const memory = create(MemorySchema);
  for (const key of given(fields)) {
    const write = WRITERS[key] as (memory: Memory, value: unknown) => void;
    const value = fields[key];
    if (value !== null) naming(key, () => write(memory, value));
  }
  return memory;
}

/** The fields that are not undefined. Throws TypeError for what is no field. */
export function given(fields: Changes): (keyof Changes)[] {
  const keys = Object.keys(fields) as (keyof Changes)[];
  const unknown = keys.find((key) => !Object.hasOwn(WRITERS, key));
  if (unknown) throw new TypeError(`${unknown} is not a field; there are ${Object.keys(WRITERS).join(", ")}`);
  return keys.filter((key) => fields[key] !== undefined);
}

/** The metadata of a memory as plain values; times are cut to milliseconds. */
export function metadata(memory: Memory): Record<string, PlainValue> {
  return Object.fromEntries(Object.entries(memory.metadata).map(([key, value]) => [key, fromValue(value)]));
}

function toMetadata(metadata: NonNullable<Fields["metadata"]>): Memory["metadata"] {
  const set = Object.entries(metadata).flatMap(([key, value]) => (value == null ? [] : [[key, toValue(value)] as const]));
  return Object.fromEntries(set);
}


/** The number of a verdict. */
export function toVerdict(name: VerdictName): Verdict {
  return numberOf(VERDICTS, name);
}

function numberOf<T>(numbers: Readonly<Record<string, T>>, name: string): T {
  const number = Object.hasOwn(numbers, name) ? numbers[name] : undefined;
  if (number === undefined) throw new RangeError(`${name} is not one of ${Object.keys(numbers).join(", ")}`);
  return number;
}

function text(value: unknown): string {
  if (typeof value !== "string") throw new TypeError(`needs a string, not ${typeof value}`);
  return value;
}

function texts(values: readonly unknown[]): string[] {
  if (!Array.isArray(values)) throw new TypeError(`needs an array of strings, not ${typeof values}`);
  return values.map(text);
}

/** Put the name of a field before what is wrong with it. */
function naming(key: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    if (error instanceof Error) error.message = `${key}: ${error.message}`;
    throw error;
  }
}
