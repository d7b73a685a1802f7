/** Calls that keep policies of retention, and apply them. */

import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { KINDS, type KindName } from "./fields.js";
import { RetentionAction, RetentionPolicySchema, type RetentionPolicy } from "./gen/quipu/v1/retention_policy_pb.js";
import {
  CreateRetentionPolicyRequestSchema,
  DeleteRetentionPolicyRequestSchema,
  GetRetentionPolicyRequestSchema,
  ListRetentionPoliciesRequestSchema,
  RetentionService,
  RunRetentionRequestSchema,
  UpdateRetentionPolicyRequestSchema,
  type RunRetentionResponse,
} from "./gen/quipu/v1/retention_service_pb.js";
import { integer } from "./numbers.js";
import type { SpaceOptions, SpaceWriteOptions } from "./options.js";
import { paged, PAGE_SIZE } from "./pages.js";
import { Results } from "./results.js";
import { present, type Session } from "./session.js";
import { requestIdOrNew } from "./uuid.js";

/** A policy: its id, its name `spaces/{space}/retentionPolicies/{policy}`, or itself. */
export type PolicyLike = string | RetentionPolicy;

const ACTIONS = { archive: RetentionAction.ARCHIVE, delete: RetentionAction.DELETE } as const;

/** What a policy says, as described at `RetentionPolicy`. Null stands for: not set. There must be a condition. */
export interface PolicySettings {
  /** What is done. */
  readonly action?: keyof typeof ACTIONS | undefined;
  /** Its place: smaller numbers are tried first. */
  readonly priority?: number | null | undefined;
  /** It is kept, and does nothing. */
  readonly disabled?: boolean | null | undefined;
  /** The least age, in milliseconds. */
  readonly olderThanMs?: number | null | undefined;
  /** The age begins with the event time, where there is one. */
  readonly byEventTime?: boolean | null | undefined;
  /** The greatest importance. */
  readonly importanceAtMost?: number | null | undefined;
  /** How long the session of a message must have been over, in milliseconds. */
  readonly sessionIdleForMs?: number | null | undefined;
  /** Memories of one of these kinds. */
  readonly kinds?: readonly KindName[] | null | undefined;
  /** Memories with one of these tags. */
  readonly tags?: readonly string[] | null | undefined;
  /** Memories that meet this filter. */
  readonly filter?: string | null | undefined;
  /** How long they must have been archived, in milliseconds; with the action `delete` only. */
  readonly archivedForMs?: number | null | undefined;
  /** So many are kept of those that meet the other conditions. */
  readonly keepAtMost?: number | null | undefined;
}

/** Options of `createRetentionPolicy`. The space `-` stands for all spaces. */
export interface CreatePolicyOptions extends PolicySettings, SpaceWriteOptions {}

/** Options of `updateRetentionPolicy`. */
export interface UpdatePolicyOptions extends PolicySettings, SpaceWriteOptions {
  /** Fails with `Aborted` when the policy has another etag. */
  readonly etag?: string | undefined;
}

/** Options of `deleteRetentionPolicy`. */
export interface DeletePolicyOptions extends SpaceWriteOptions {
  /** Fails with `Aborted` when the policy has another etag. */
  readonly etag?: string | undefined;
}

/** Options of `retentionPolicies`. */
export interface ListPoliciesOptions extends SpaceOptions {
  /** Policies in one call, 1 to 1,000; default 100. */
  readonly pageSize?: number | undefined;
}

/** Options of `runRetention`. */
export interface RunRetentionOptions extends SpaceOptions {
  /** Changes nothing; the summary names the first 500 memories that would change. */
  readonly dryRun?: boolean | undefined;
}

export async function createPolicy(session: Session, policy: string, options: CreatePolicyOptions): Promise<RetentionPolicy> {
  const request = create(CreateRetentionPolicyRequestSchema, {
    parent: session.parent(options.space),
    retentionPolicyId: policy,
    retentionPolicy: toPolicy(options),
    requestId: requestIdOrNew(options.requestId),
  });
  const response = await session.wire.unary(RetentionService.method.createRetentionPolicy, request, options);
  return present(response.retentionPolicy);
}

export async function getPolicy(session: Session, policy: PolicyLike, options: SpaceOptions): Promise<RetentionPolicy> {
  const request = create(GetRetentionPolicyRequestSchema, { name: policyName(session, policy, options) });
  const response = await session.wire.unary(RetentionService.method.getRetentionPolicy, request, options);
  return present(response.retentionPolicy);
}

export function policies(session: Session, options: ListPoliciesOptions): Results<RetentionPolicy> {
  const request = create(ListRetentionPoliciesRequestSchema, {
    parent: session.parent(options.space),
    pageSize: integer("pageSize", options.pageSize ?? PAGE_SIZE),
  });
  const method = RetentionService.method.listRetentionPolicies;
  return paged(session.wire, method, request, (page) => page.retentionPolicies, options);
}

export async function updatePolicy(
  session: Session,
  policy: PolicyLike,
  options: UpdatePolicyOptions,
): Promise<RetentionPolicy> {
  const changed = toPolicy(options);
  changed.name = policyName(session, policy, options);
  changed.etag = options.etag ?? "";
  const request = create(UpdateRetentionPolicyRequestSchema, {
    retentionPolicy: changed,
    updateMask: { paths: pathsOf(options) },
    requestId: requestIdOrNew(options.requestId),
  });
  const response = await session.wire.unary(RetentionService.method.updateRetentionPolicy, request, options);
  return present(response.retentionPolicy);
}

export async function deletePolicy(session: Session, policy: PolicyLike, options: DeletePolicyOptions): Promise<void> {
  const request = create(DeleteRetentionPolicyRequestSchema, {
    name: policyName(session, policy, options),
    etag: options.etag ?? "",
    requestId: requestIdOrNew(options.requestId),
  });
  await session.wire.unary(RetentionService.method.deleteRetentionPolicy, request, options);
}

export function runRetention(session: Session, options: RunRetentionOptions): Results<RunRetentionResponse> {
  const request = create(RunRetentionRequestSchema, {
    parent: session.parent(options.space),
    dryRun: options.dryRun ?? false,
  });
  const timeoutMs = options.timeoutMs ?? Infinity;
  return new Results(async function* (signal) {
    const method = RetentionService.method.runRetention;
    for await (const response of session.wire.stream(method, request, { ...options, timeoutMs, signal })) {
      yield [response];
    }
  }, options.signal);
}

function policyName(session: Session, policy: PolicyLike, { space }: SpaceOptions): string {
  const name = typeof policy === "string" ? policy : policy.name;
  return name.startsWith("spaces/") ? name : `${session.parent(space)}/retentionPolicies/${name}`;
}

const PATHS = {
  action: "action",
  priority: "priority",
  disabled: "disabled",
  olderThanMs: "older_than",
  byEventTime: "by_event_time",
  importanceAtMost: "importance_at_most",
  sessionIdleForMs: "session_idle_for",
  kinds: "kinds",
  tags: "tags",
  filter: "filter",
  archivedForMs: "archived_for",
  keepAtMost: "keep_at_most",
} as const satisfies Record<keyof PolicySettings, string>;

function pathsOf(settings: PolicySettings): string[] {
  const names = Object.keys(PATHS) as (keyof PolicySettings)[];
  return names.filter((name) => settings[name] !== undefined).map((name) => PATHS[name]);
}

function toPolicy(settings: PolicySettings): RetentionPolicy {
  return create(RetentionPolicySchema, {
    action: settings.action ? ACTIONS[settings.action] : RetentionAction.UNSPECIFIED,
    priority: settings.priority ?? 0,
    disabled: settings.disabled ?? false,
    byEventTime: settings.byEventTime ?? false,
    kinds: (settings.kinds ?? []).map((kind) => KINDS[kind]),
    tags: [...(settings.tags ?? [])],
    filter: settings.filter ?? "",
    ...spanned("olderThan", settings.olderThanMs),
    ...spanned("sessionIdleFor", settings.sessionIdleForMs),
    ...spanned("archivedFor", settings.archivedForMs),
    ...given("importanceAtMost", settings.importanceAtMost),
    ...given("keepAtMost", typeof settings.keepAtMost === "number" ? BigInt(settings.keepAtMost) : undefined),
  });
}

/** Protobuf tells fields that are left out from those that are set. */
function given<N extends string, T>(name: N, value: T | null | undefined): { [name in N]?: T } {
  return (value === null || value === undefined ? {} : { [name]: value }) as { [name in N]?: T };
}

function spanned<N extends string>(name: N, ms: number | null | undefined) {
  return given(name, typeof ms === "number" ? durationFromMs(ms) : undefined);
}
