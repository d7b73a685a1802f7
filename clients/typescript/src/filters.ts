/** Filters as callers give them. */

import type { Filter } from "./gen/quipu/v1/filter_pb.js";

/** A condition as text, such as `session = "s1" AND NOT tags = "draft"`, or as a tree. */
export type FilterLike = string | Filter;

type Filtering = { case: "filter"; value: string } | { case: "filterTree"; value: Filter } | { case: undefined };

/** The field of a request that carries the filter. */
export function filtering(filter: FilterLike | undefined): Filtering {
  if (!filter) return { case: undefined };
  return typeof filter === "string" ? { case: "filter", value: filter } : { case: "filterTree", value: filter };
}
