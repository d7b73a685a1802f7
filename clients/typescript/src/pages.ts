/** Listings, which come page by page. */

import type { DescMessage, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import type { CallOptions } from "./options.js";
import { Results } from "./results.js";
import type { Wire } from "./wire.js";

/** In one call, unless the caller says otherwise. */
export const PAGE_SIZE = 100;

/** The items of all pages. The time of the options counts for each page. */
export function paged<I extends DescMessage, O extends DescMessage, T>(
  wire: Wire,
  method: DescMethodUnary<I, O>,
  request: MessageShape<I> & { pageToken: string },
  itemsOf: (page: MessageShape<O> & { nextPageToken: string }) => readonly T[],
  options: CallOptions,
): Results<T> {
  return new Results(async function* (signal) {
    do {
      const answer = await wire.unary(method, request, { ...options, signal });
      const page = answer as MessageShape<O> & { nextPageToken: string };
      yield itemsOf(page);
      request.pageToken = page.nextPageToken;
    } while (request.pageToken);
  }, options.signal);
}
