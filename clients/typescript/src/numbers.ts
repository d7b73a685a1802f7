/** Numbers of callers, checked before they are sent. */

const MOST = 2 ** 31 - 1;

/** A whole number of 32 bits; undefined stays so. Throws RangeError with the name of the option. */
export function integer<T extends number | undefined>(option: string, value: T): T {
  if (value === undefined || (Number.isInteger(value) && Math.abs(value) <= MOST)) return value;
  throw new RangeError(`${option}: ${value} is not a whole number of at most ${MOST}`);
}

/** A revision of a space, as a `bigint` or a safe integer. */
export type Revision = bigint | number;

/** A revision as the protocol has it. Throws RangeError with the name of the option. */
export function toRevision(option: string, value: Revision): bigint {
  if (typeof value === "bigint") return value;
  if (Number.isSafeInteger(value)) return BigInt(value);
  throw new RangeError(`${option}: ${value} is not a revision`);
}

/** Revisions by space. */
export type Revisions = Readonly<Record<string, Revision>>;
