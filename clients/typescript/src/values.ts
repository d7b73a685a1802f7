/** Plain JavaScript values and the messages that carry them. */

import { create, isMessage } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate, TimestampSchema, type Timestamp } from "@bufbuild/protobuf/wkt";
import { ListValueSchema, ValueSchema, VectorSchema, type Value, type Vector } from "./gen/quipu/v1/value_pb.js";

/** A point in time. A `Timestamp` keeps microseconds, a `Date` has milliseconds. */
export type Time = Date | Timestamp;

/** One value of metadata. Integers beyond 2^53 belong in a string. */
export type Scalar = string | number | boolean | Time;

/** What metadata can hold. */
export type MetadataValue = Scalar | readonly Scalar[];

/** What metadata holds, as plain values. */
export type PlainValue = string | number | boolean | Date | (string | number | boolean | Date)[];

/** A vector, made with the model of the space. */
export type VectorLike = readonly number[] | Float32Array;

/** A time as a message. Throws TypeError for another type and RangeError for an invalid date. */
export function toTimestamp(time: Time): Timestamp {
  if (isMessage(time, TimestampSchema)) return time;
  if (!(time instanceof Date)) throw new TypeError(`needs a Date, not ${typeof time}`);
  if (Number.isNaN(time.getTime())) throw new RangeError("needs a valid Date");
  return timestampFromDate(time);
}

/** A time as a Date, cut to milliseconds; undefined for a time that is not set. */
export function toDate(timestamp: Timestamp): Date;
export function toDate(timestamp: Timestamp | undefined): Date | undefined;
export function toDate(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp && timestampDate(timestamp);
}

/** A value of metadata. Throws TypeError for a type that metadata cannot have, RangeError for NaN. */
export function toValue(value: MetadataValue): Value {
  return create(ValueSchema, { kind: kindOf(value) });
}

function kindOf(value: MetadataValue): Value["kind"] {
  switch (typeof value) {
    case "string":
      return { case: "stringValue", value };
    case "boolean":
      return { case: "boolValue", value };
    case "number":
      if (Number.isNaN(value)) throw new RangeError("NaN cannot be stored");
      return { case: "numberValue", value };
  }
  if (Array.isArray(value)) {
    return { case: "listValue", value: create(ListValueSchema, { values: value.map(toValue) }) };
  }
  if (value instanceof Date || isMessage(value, TimestampSchema)) {
    return { case: "timeValue", value: toTimestamp(value) };
  }
  throw new TypeError(`metadata can hold strings, numbers, booleans, Dates and arrays of them, not ${typeof value}`);
}

/** What a value of metadata holds. */
export function fromValue(value: Value): PlainValue {
  return value.kind.case === "listValue" ? value.kind.value.values.map(scalarOf) : scalarOf(value);
}

function scalarOf({ kind }: Value): string | number | boolean | Date {
  switch (kind.case) {
    case "timeValue":
      return timestampDate(kind.value);
    case "stringValue":
    case "numberValue":
    case "boolValue":
      return kind.value;
    default:
      return "";
  }
}

/** A vector as a message. */
export function toVector(numbers: VectorLike): Vector {
  return create(VectorSchema, { values: Array.from(numbers) });
}

/** The numbers of a vector. */
export function toFloat32Array(vector: Vector): Float32Array {
  return Float32Array.from(vector.values);
}
