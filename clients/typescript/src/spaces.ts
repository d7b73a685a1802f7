/** Calls that keep spaces. */

import { create } from "@bufbuild/protobuf";
import { SpaceSchema, type Space } from "./gen/quipu/v1/space_pb.js";
import {
  CreateSpaceRequestSchema,
  DeleteSpaceRequestSchema,
  GetSpaceRequestSchema,
  ListSpacesRequestSchema,
  SpaceService,
  UpdateSpaceRequestSchema,
} from "./gen/quipu/v1/space_service_pb.js";
import { modelName } from "./names.js";
import { integer } from "./numbers.js";
import type { CallOptions, WriteOptions } from "./options.js";
import { paged, PAGE_SIZE } from "./pages.js";
import { toWeights, type Ranking } from "./ranking.js";
import type { Results } from "./results.js";
import { present, type Session } from "./session.js";
import { requestIdOrNew } from "./uuid.js";

/** The settings of a space that can change. Null stands for the default. */
export interface SpaceSettings {
  /** A name for people, at most 256 bytes. */
  readonly displayName?: string | null | undefined;
  /** Weights of ranking in this space. */
  readonly ranking?: Ranking | null | undefined;
}

/** Options of `createSpace`. */
export interface CreateSpaceOptions extends SpaceSettings, WriteOptions {
  /** Embedding model, for good; default: the default one of the server. */
  readonly model?: string | undefined;
  /** Language of the words, an ISO 639-1 code, for good; `und` for none; default `en`. */
  readonly language?: string | undefined;
}

/** Options of `updateSpace`. */
export interface UpdateSpaceOptions extends SpaceSettings, WriteOptions {
  /** Fails with `Aborted` when the space has another etag. */
  readonly etag?: string | undefined;
}

/** Options of `deleteSpace`. */
export interface DeleteSpaceOptions extends WriteOptions {
  /** Also when the space has memories. */
  readonly force?: boolean | undefined;
  /** Fails with `Aborted` when the space has another etag. */
  readonly etag?: string | undefined;
}

/** Options of `spaces`. */
export interface ListSpacesOptions extends CallOptions {
  /** Spaces in one call, 1 to 1,000; default 100. */
  readonly pageSize?: number | undefined;
}

export async function createSpace(session: Session, space: string, options: CreateSpaceOptions): Promise<Space> {
  const made = toSpace(options);
  made.model = modelName(options.model);
  made.language = options.language ?? "";
  const requestId = requestIdOrNew(options.requestId);
  const request = create(CreateSpaceRequestSchema, { spaceId: space, space: made, requestId });
  return present((await session.wire.unary(SpaceService.method.createSpace, request, options)).space);
}

export async function getSpace(session: Session, space: string | undefined, options: CallOptions): Promise<Space> {
  const request = create(GetSpaceRequestSchema, { name: session.parent(space) });
  return present((await session.wire.unary(SpaceService.method.getSpace, request, options)).space);
}

export function spaces(session: Session, options: ListSpacesOptions): Results<Space> {
  const request = create(ListSpacesRequestSchema, { pageSize: integer("pageSize", options.pageSize ?? PAGE_SIZE) });
  return paged(session.wire, SpaceService.method.listSpaces, request, (page) => page.spaces, options);
}

export async function updateSpace(session: Session, space: string, options: UpdateSpaceOptions): Promise<Space> {
  const target = toSpace(options);
  target.name = session.parent(space);
  target.etag = options.etag ?? "";
  const request = create(UpdateSpaceRequestSchema, {
    space: target,
    updateMask: { paths: pathsOf(options) },
    requestId: requestIdOrNew(options.requestId),
  });
  return present((await session.wire.unary(SpaceService.method.updateSpace, request, options)).space);
}

export async function deleteSpace(session: Session, space: string, options: DeleteSpaceOptions): Promise<bigint> {
  const request = create(DeleteSpaceRequestSchema, {
    name: session.parent(space),
    etag: options.etag ?? "",
    force: options.force ?? false,
    requestId: requestIdOrNew(options.requestId),
  });
  const response = await session.wire.unary(SpaceService.method.deleteSpace, request, options);
  session.forget(request.name);
  return response.deletedMemoryCount;
}

function toSpace({ displayName, ranking }: SpaceSettings): Space {
  const space = create(SpaceSchema, { displayName: displayName ?? "" });
  if (ranking) space.ranking = toWeights(ranking);
  return space;
}

function pathsOf({ displayName, ranking }: SpaceSettings): string[] {
  return [...(displayName === undefined ? [] : ["display_name"]), ...(ranking === undefined ? [] : ["ranking"])];
}
