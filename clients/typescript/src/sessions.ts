/** Calls that keep sessions. */

import { create } from "@bufbuild/protobuf";
import { creation, type DraftLike } from "./bulk.js";
import { toMemory } from "./fields.js";
import type { Memory } from "./gen/quipu/v1/memory_pb.js";
import { SessionSchema, type Session as Conversation } from "./gen/quipu/v1/session_pb.js";
import {
  AppendMessagesRequestSchema,
  DeleteSessionRequestSchema,
  EndSessionRequestSchema,
  GetSessionRequestSchema,
  GetWindowRequestSchema,
  ListMessagesRequestSchema,
  ListSessionsRequestSchema,
  SessionService,
  SessionState,
  UpdateSessionRequestSchema,
  type GetWindowResponse,
} from "./gen/quipu/v1/session_service_pb.js";
import { spaceOf } from "./names.js";
import { integer } from "./numbers.js";
import type { SpaceOptions, SpaceWriteOptions } from "./options.js";
import { paged, PAGE_SIZE } from "./pages.js";
import type { Results } from "./results.js";
import { present, type Session } from "./session.js";
import { requestIdOrNew } from "./uuid.js";
import type { MetadataValue } from "./values.js";

const STATES = { open: SessionState.OPEN, ended: SessionState.ENDED } as const;

/** A session with its statistics. */
export type { Conversation };

/** The newest messages of a session that fit a budget, oldest first. */
export type Window = GetWindowResponse;

/** Options of `sessions`. */
export interface SessionsOptions extends SpaceOptions {
  /** `id`, or `activity`: the session that got a message last comes first; default `id`. */
  readonly orderBy?: "id" | "activity" | undefined;
  /** Only those that go on, or that were ended; default all. */
  readonly state?: keyof typeof STATES | undefined;
  /** Sessions in one call, 1 to 1,000; default 100. */
  readonly pageSize?: number | undefined;
}

/** Options of `messages`. */
export interface MessagesOptions extends SpaceOptions {
  /** From the newest message to the oldest. */
  readonly newestFirst?: boolean | undefined;
  /** Messages in one call, 1 to 1,000; default 100. */
  readonly pageSize?: number | undefined;
}

/** Options of `window`; one of the budgets must be given. */
export interface WindowOptions extends SpaceOptions {
  /** Most messages, 1 to 1,000. */
  readonly maxMessages?: number | undefined;
  /** Most tokens of all messages, as the model of the space counts them. */
  readonly maxTokens?: number | undefined;
}

/** What a session has beside its messages. Null clears. */
export interface SessionSettings {
  /** A name for people, at most 256 bytes. */
  readonly title?: string | null | undefined;
  /** What it was about, at most 32,768 bytes. */
  readonly summary?: string | null | undefined;
  /** Within the limits of that of a memory; replaces all of it. */
  readonly metadata?: Readonly<Record<string, MetadataValue | null | undefined>> | null | undefined;
}

/** Options of `updateSession`. */
export interface UpdateSessionOptions extends SessionSettings, SpaceWriteOptions {
  /** Fails with `Aborted` when the session has another etag. */
  readonly etag?: string | undefined;
}

export async function append(
  session: Session,
  conversation: string,
  messages: readonly DraftLike[],
  options: SpaceWriteOptions,
): Promise<Memory[]> {
  const request = create(AppendMessagesRequestSchema, {
    parent: session.conversation(conversation, options.space),
    messages: messages.map((message) => {
      const { memoryId, memory } = creation(message);
      return { memoryId, ...(memory ? { memory } : {}) };
    }),
    requestId: requestIdOrNew(options.requestId),
  });
  const response = await session.wire.unary(SessionService.method.appendMessages, request, options);
  session.saw(spaceOf(request.parent), response.revision);
  return response.messages;
}

export async function getSession(session: Session, conversation: string, options: SpaceOptions): Promise<Conversation> {
  const request = create(GetSessionRequestSchema, { name: session.conversation(conversation, options.space) });
  return present((await session.wire.unary(SessionService.method.getSession, request, options)).session);
}

export function sessions(session: Session, options: SessionsOptions): Results<Conversation> {
  const request = create(ListSessionsRequestSchema, {
    parent: session.parent(options.space),
    orderBy: options.orderBy ?? "id",
    state: options.state === undefined ? SessionState.UNSPECIFIED : stateOf(options.state),
    pageSize: integer("pageSize", options.pageSize ?? PAGE_SIZE),
  });
  return paged(session.wire, SessionService.method.listSessions, request, (page) => page.sessions, options);
}

export function messages(session: Session, conversation: string, options: MessagesOptions): Results<Memory> {
  const request = create(ListMessagesRequestSchema, {
    parent: session.conversation(conversation, options.space),
    newestFirst: options.newestFirst ?? false,
    pageSize: integer("pageSize", options.pageSize ?? PAGE_SIZE),
  });
  return paged(session.wire, SessionService.method.listMessages, request, (page) => page.messages, options);
}

export async function window(session: Session, conversation: string, options: WindowOptions): Promise<Window> {
  const request = create(GetWindowRequestSchema, {
    name: session.conversation(conversation, options.space),
    maxMessages: integer("maxMessages", options.maxMessages ?? 0),
    maxTokens: integer("maxTokens", options.maxTokens ?? 0),
  });
  return session.wire.unary(SessionService.method.getWindow, request, options);
}

export async function updateSession(
  session: Session,
  conversation: string,
  options: UpdateSessionOptions,
): Promise<Conversation> {
  const { title, summary, metadata } = options;
  const target = create(SessionSchema, {
    name: session.conversation(conversation, options.space),
    title: title ?? "",
    summary: summary ?? "",
    metadata: toMemory({ metadata }).metadata,
    etag: options.etag ?? "",
  });
  const given = Object.entries({ title, summary, metadata }).filter(([, value]) => value !== undefined);
  const request = create(UpdateSessionRequestSchema, {
    session: target,
    updateMask: { paths: given.map(([path]) => path) },
    requestId: requestIdOrNew(options.requestId),
  });
  return present((await session.wire.unary(SessionService.method.updateSession, request, options)).session);
}

export async function endSession(session: Session, conversation: string, options: SpaceOptions): Promise<Conversation> {
  const request = create(EndSessionRequestSchema, { name: session.conversation(conversation, options.space) });
  return present((await session.wire.unary(SessionService.method.endSession, request, options)).session);
}

export async function deleteSession(session: Session, conversation: string, options: SpaceWriteOptions): Promise<bigint> {
  const request = create(DeleteSessionRequestSchema, {
    name: session.conversation(conversation, options.space),
    requestId: requestIdOrNew(options.requestId),
  });
  const response = await session.wire.unary(SessionService.method.deleteSession, request, options);
  session.saw(spaceOf(request.name), response.revision);
  return response.deletedMessageCount;
}

function stateOf(state: keyof typeof STATES): SessionState {
  if (!Object.hasOwn(STATES, state)) throw new RangeError(`state: ${state} is not one of ${Object.keys(STATES).join(", ")}`);
  return STATES[state];
}
