/** Calls that administer tenants and keys. */

import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  AdminService,
  CreateApiKeyRequestSchema,
  CreateTenantRequestSchema,
  DeleteTenantRequestSchema,
  GetApiKeyRequestSchema,
  GetTenantRequestSchema,
  ListApiKeysRequestSchema,
  ListAuditEntriesRequestSchema,
  ListTenantsRequestSchema,
  RevokeApiKeyRequestSchema,
  RotateApiKeyRequestSchema,
  UpdateApiKeyRequestSchema,
  UpdateTenantRequestSchema,
  type AuditEntry,
} from "./gen/quipu/v1/admin_service_pb.js";
import { ApiKeyRole, ApiKeySchema, type ApiKey } from "./gen/quipu/v1/api_key_pb.js";
import { GuardPolicySchema } from "./gen/quipu/v1/guard_policy_pb.js";
import { LimitSchema, LimitsSchema, type Limits } from "./gen/quipu/v1/limits_pb.js";
import { TenantSchema, type Tenant } from "./gen/quipu/v1/tenant_pb.js";
import type { CallOptions } from "./options.js";
import { paged, PAGE_SIZE } from "./pages.js";
import type { Results } from "./results.js";
import { present, type Session } from "./session.js";

/** What a key allows; each role allows what those before it do. */
export type ApiKeyRoleName = "read" | "write" | "admin";

/** So much in any span of so many seconds. */
export interface LimitLike {
  readonly count: number | bigint;
  readonly seconds: number;
}

/** What may be used; what is not given is not limited. */
export interface LimitsLike {
  readonly requests?: LimitLike | undefined;
  readonly tokens?: LimitLike | undefined;
  readonly memories?: LimitLike | undefined;
}

/** What is done to secrets and personal data that a tenant writes, beside what the server does for all. */
export interface GuardSettings {
  /** Refuses a write with a secret. */
  readonly blockSecrets?: boolean | undefined;
  /** Replaces personal data by its kind, as `[email]`. */
  readonly redactPersonal?: boolean | undefined;
  /** Country of phone numbers without a country code, as `DE`; that of the server if it is not given. */
  readonly region?: string | undefined;
}

interface SharedSettings {
  /** A name for people, at most 256 bytes. */
  readonly displayName?: string | null | undefined;
  /** What may be used: by all keys of a tenant together, or by a key. */
  readonly limits?: LimitsLike | null | undefined;
}

/** The settings of a tenant. Null stands for the default. */
export interface TenantSettings extends SharedSettings {
  readonly guardPolicy?: GuardSettings | null | undefined;
}

/** What a key may be beside its role. Null stands for the default. */
export interface ApiKeySettings extends SharedSettings {
  /** The key is good for spaces only whose ids begin with one of these. */
  readonly spacePrefixes?: readonly string[] | null | undefined;
  /** From then on the key is refused. */
  readonly expireTime?: Date | null | undefined;
}

/** What can be changed of a key. */
export interface ApiKeyChanges extends ApiKeySettings {
  readonly role?: ApiKeyRoleName | undefined;
}

/** A key, and the secret that its holder sends. It cannot be had again. */
export interface NewSecret {
  readonly key: ApiKey;
  readonly secret: string;
}

/**
 * Administers tenants and their keys. It needs the master key, or for its own tenant a key with the role admin. Tenants are
 * given as ids or names, keys by their names, `tenants/{tenant}/apiKeys/{key}`.
 */
export class Admin {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Create a tenant. Fails with `AlreadyExists`. */
  async createTenant(tenant: string, options: TenantSettings & CallOptions = {}): Promise<Tenant> {
    const request = create(CreateTenantRequestSchema, { tenantId: tenant, tenant: toTenant("", options) });
    return present((await this.#session.wire.unary(AdminService.method.createTenant, request, options)).tenant);
  }

  /** Return a tenant. Fails with `NotFound`. */
  async getTenant(tenant: string, options: CallOptions = {}): Promise<Tenant> {
    const request = create(GetTenantRequestSchema, { name: tenantName(tenant) });
    return present((await this.#session.wire.unary(AdminService.method.getTenant, request, options)).tenant);
  }

  /** List the tenants by id. `timeoutMs` counts for each page. */
  tenants(options: CallOptions = {}): Results<Tenant> {
    const request = create(ListTenantsRequestSchema, { pageSize: PAGE_SIZE });
    return paged(this.#session.wire, AdminService.method.listTenants, request, (page) => page.tenants, options);
  }

  /** Change the settings that are given. Fails with `NotFound`. */
  async updateTenant(tenant: string, options: TenantSettings & CallOptions): Promise<Tenant> {
    const changed = toTenant(tenantName(tenant), options);
    const request = create(UpdateTenantRequestSchema, { tenant: changed, updateMask: { paths: pathsOf(options) } });
    return present((await this.#session.wire.unary(AdminService.method.updateTenant, request, options)).tenant);
  }

  /** Destroy a tenant with its keys for good, and with `force` its spaces; return how many spaces went with it. */
  async deleteTenant(tenant: string, options: { readonly force?: boolean } & CallOptions = {}): Promise<bigint> {
    const request = create(DeleteTenantRequestSchema, { name: tenantName(tenant), force: options.force ?? false });
    return (await this.#session.wire.unary(AdminService.method.deleteTenant, request, options)).deletedSpaceCount;
  }

  /** Create a key, and get its secret this once. Fails with `NotFound` when there is no such tenant. */
  async createApiKey(
    tenant: string,
    role: ApiKeyRoleName,
    options: ApiKeySettings & CallOptions = {},
  ): Promise<NewSecret> {
    const apiKey = toApiKey("", { ...options, role });
    const request = create(CreateApiKeyRequestSchema, { parent: tenantName(tenant), apiKey });
    const response = await this.#session.wire.unary(AdminService.method.createApiKey, request, options);
    return { key: present(response.apiKey), secret: response.secret };
  }

  /** Return a key without its secret. Fails with `NotFound`. */
  async getApiKey(key: string, options: CallOptions = {}): Promise<ApiKey> {
    const request = create(GetApiKeyRequestSchema, { name: key });
    return present((await this.#session.wire.unary(AdminService.method.getApiKey, request, options)).apiKey);
  }

  /** List the keys of a tenant by id, revoked ones included. `timeoutMs` counts for each page. */
  apiKeys(tenant: string, options: CallOptions = {}): Results<ApiKey> {
    const request = create(ListApiKeysRequestSchema, { parent: tenantName(tenant), pageSize: PAGE_SIZE });
    return paged(this.#session.wire, AdminService.method.listApiKeys, request, (page) => page.apiKeys, options);
  }

  /** Change what is given of a key. Fails with `NotFound`, and `FailedPrecondition` when it is revoked. */
  async updateApiKey(key: string, options: ApiKeyChanges & CallOptions): Promise<ApiKey> {
    const apiKey = toApiKey(key, options);
    const request = create(UpdateApiKeyRequestSchema, { apiKey, updateMask: { paths: pathsOf(options) } });
    return present((await this.#session.wire.unary(AdminService.method.updateApiKey, request, options)).apiKey);
  }

  /** Give a key a new secret, and get it this once. The old one stays good for `graceMs`, 0 by default. */
  async rotateApiKey(key: string, options: { readonly graceMs?: number } & CallOptions = {}): Promise<NewSecret> {
    const request = create(RotateApiKeyRequestSchema, { name: key, grace: durationFromMs(options.graceMs ?? 0) });
    const response = await this.#session.wire.unary(AdminService.method.rotateApiKey, request, options);
    return { key: present(response.apiKey), secret: response.secret };
  }

  /** Make a key useless for good, on every server within 5 seconds. Fails with `NotFound`. */
  async revokeApiKey(key: string, options: CallOptions = {}): Promise<ApiKey> {
    const request = create(RevokeApiKeyRequestSchema, { name: key });
    return present((await this.#session.wire.unary(AdminService.method.revokeApiKey, request, options)).apiKey);
  }

  /** List what was administered, newest first: of a tenant, or of all. `timeoutMs` counts for each page. */
  auditEntries(options: { readonly tenant?: string } & CallOptions = {}): Results<AuditEntry> {
    const parent = options.tenant === undefined ? "" : tenantName(options.tenant);
    const request = create(ListAuditEntriesRequestSchema, { parent, pageSize: PAGE_SIZE });
    return paged(this.#session.wire, AdminService.method.listAuditEntries, request, (page) => page.entries, options);
  }
}

const ROLES: Readonly<Record<ApiKeyRoleName, ApiKeyRole>> = {
  read: ApiKeyRole.READ,
  write: ApiKeyRole.WRITE,
  admin: ApiKeyRole.ADMIN,
};

const PATHS: Readonly<Record<keyof (ApiKeyChanges & TenantSettings), string>> = {
  displayName: "display_name",
  limits: "limits",
  guardPolicy: "guard_policy",
  spacePrefixes: "space_prefixes",
  expireTime: "expire_time",
  role: "role",
};

/** The fields that are given, as a mask names them. */
function pathsOf(options: ApiKeyChanges & TenantSettings): string[] {
  const names = Object.keys(PATHS) as (keyof typeof PATHS)[];
  return names.filter((name) => options[name] !== undefined).map((name) => PATHS[name]);
}

function tenantName(tenant: string): string {
  return tenant.startsWith("tenants/") ? tenant : `tenants/${tenant}`;
}

function toTenant(name: string, { displayName, limits, guardPolicy }: TenantSettings): Tenant {
  const tenant = create(TenantSchema, { name, displayName: displayName ?? "" });
  if (limits) tenant.limits = toLimits(limits);
  if (guardPolicy) {
    const { blockSecrets = false, redactPersonal = false, region = "" } = guardPolicy;
    tenant.guardPolicy = create(GuardPolicySchema, { blockSecrets, redactPersonal, region });
  }
  return tenant;
}

function toApiKey(name: string, { displayName, limits, spacePrefixes, expireTime, role }: ApiKeyChanges): ApiKey {
  const key = create(ApiKeySchema, { name, displayName: displayName ?? "", spacePrefixes: [...(spacePrefixes ?? [])] });
  if (role) key.role = ROLES[role];
  if (limits) key.limits = toLimits(limits);
  if (expireTime) key.expireTime = timestampFromDate(expireTime);
  return key;
}

function toLimits(limits: LimitsLike): Limits {
  const made = create(LimitsSchema);
  for (const name of ["requests", "tokens", "memories"] as const) {
    const limit = limits[name];
    if (limit) {
      made[name] = create(LimitSchema, { count: BigInt(limit.count), window: durationFromMs(limit.seconds * 1_000) });
    }
  }
  return made;
}
