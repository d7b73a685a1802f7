/** Steps as calls of the client. */

import { createRegistry, isMessage, toJson } from "@bufbuild/protobuf";
import { Hits, MemoryChange, Results, Watch, type Change, type Client, type Context, type Outcome, type QuipuError } from "@quipu-memory/client";
import * as v1 from "@quipu-memory/client/v1";
import { toOptions } from "./arguments.js";
import { isMapping, type Mapping } from "./variables.js";

type Call = (client: Client, options: never) => Promise<unknown> | Results<unknown>;

const MESSAGES = createRegistry(
  v1.MemorySchema,
  v1.MemoryRevisionSchema,
  v1.RedactionSchema,
  v1.HitSchema,
  v1.SearchSummarySchema,
  v1.SpaceSchema,
  v1.ErasureReceiptSchema,
  v1.RetentionPolicySchema,
  v1.RunRetentionResponseSchema,
  v1.EmbeddingModelSchema,
  v1.IndexDescriptionSchema,
  v1.SessionSchema,
  v1.GetWindowResponseSchema,
  v1.PackContextResponseSchema,
  v1.TenantSchema,
  v1.ApiKeySchema,
);

const CALLS: Record<string, Call> = {
  add: (client, { content, ...options }: { content: string }) => client.add(content, options),
  add_many: (client, { memories, ...options }: { memories: string[] }) => client.addMany(memories, options),
  get: (client, { memory, ...options }: { memory: string }) => client.get(memory, options),
  get_many: (client, { memories, ...options }: { memories: string[] }) => client.getMany(memories, options),
  list: (client, options) => client.list(options),
  update: (client, { memory, ...options }: { memory: string }) => client.update(memory, options),
  delete: (client, { memory, ...options }: { memory: string }) => client.delete(memory, options),
  undelete: (client, { memory, ...options }: { memory: string }) => client.undelete(memory, options),
  feedback: (client, { memory, verdict, ...options }: { memory: string; verdict: "useful" }) =>
    client.feedback(memory, verdict, options),
  archive: (client, { memory, ...options }: { memory: string }) => client.archive(memory, options),
  unarchive: (client, { memory, ...options }: { memory: string }) => client.unarchive(memory, options),
  erase: (client, options) => client.erase(options),
  create_retention_policy: (client, { policy, ...options }: { policy: string }) => client.createRetentionPolicy(policy, options),
  get_retention_policy: (client, { policy, ...options }: { policy: string }) => client.getRetentionPolicy(policy, options),
  retention_policies: (client, options) => client.retentionPolicies(options),
  update_retention_policy: (client, { policy, ...options }: { policy: string }) => client.updateRetentionPolicy(policy, options),
  delete_retention_policy: (client, { policy, ...options }: { policy: string }) => client.deleteRetentionPolicy(policy, options),
  run_retention: (client, options) => client.runRetention(options),
  history: (client, { memory, ...options }: { memory: string }) => client.history(memory, options),
  search: (client, options: Mapping) => {
    const { text, vector, example, ...rest } = options;
    const query = vector !== undefined ? { vector } : example !== undefined ? { example } : { text };
    return client.search(query as { text: string }, rest);
  },
  pack: (client, { text, ...options }: { text: string; tokenBudget: number }) => client.pack(text, options),
  append: (client, { session, messages, ...options }: { session: string; messages: string[] }) => client.append(session, messages, options),
  get_session: (client, { session, ...options }: { session: string }) => client.getSession(session, options),
  sessions: (client, options) => client.sessions(options),
  messages: (client, { session, ...options }: { session: string }) => client.messages(session, options),
  window: (client, { session, ...options }: { session: string }) => client.window(session, options),
  update_session: (client, { session, ...options }: { session: string }) => client.updateSession(session, options),
  end_session: (client, { session, ...options }: { session: string }) => client.endSession(session, options),
  delete_session: (client, { session, ...options }: { session: string }) => client.deleteSession(session, options),
  ingest: (client, { memories, ...options }: { memories: string[] }) => client.ingest(memories, options),
  watch: (client, options) => client.watch(options),
  create_space: (client, { space, ...options }: { space: string }) => client.createSpace(space, options),
  get_space: (client, { space, ...options }: { space?: string }) => client.getSpace(space, options),
  spaces: (client, options) => client.spaces(options),
  update_space: (client, { space, ...options }: { space: string }) => client.updateSpace(space, options),
  delete_space: (client, { space, ...options }: { space: string }) => client.deleteSpace(space, options),
  describe_index: (client, { space, ...options }: { space?: string }) => client.describeIndex(space, options),
  embed: (client, { texts, ...options }: { texts: string[] }) => client.embed(texts, options),
  models: (client, options) => client.models(options),
  create_tenant: (client, { tenant, ...options }: { tenant: string }) => client.admin.createTenant(tenant, options),
  create_api_key: (client, { tenant, role }: { tenant: string; role: "read" }) => client.admin.createApiKey(tenant, role),
  rotate_api_key: (client, { key }: { key: string }) => client.admin.rotateApiKey(key),
  revoke_api_key: (client, { key }: { key: string }) => client.admin.revokeApiKey(key),
  count_tokens: (client, { texts, ...options }: { texts: string[] }) => client.countTokens(texts, options),
};

/** Do an operation; the result is as a scenario expects it. */
export async function call(client: Client, name: string, named: Mapping, take: number | undefined): Promise<unknown> {
  const operation = CALLS[name];
  if (!operation) throw new Error(`there is no operation ${name}`);
  const answer = operation(client, toOptions(named) as never);
  if (!(answer instanceof Results)) return plain(await answer);
  const items = take === undefined ? await answer.all() : await some(answer, take);
  if (answer instanceof Watch) return (items as Change[]).map(watched);
  if (name === "ingest") return (items as Outcome[]).map(ingested);
  if (name === "run_retention") return plain(items.at(-1));
  if (!(answer instanceof Hits)) return plain(items);
  if (take !== undefined) return { hits: plain(items) };
  const contexts = answer.contexts.map(said);
  return { hits: plain(items), summary: plain(answer.summary), ...(contexts.length ? { contexts } : {}) };
}

/** Read some items and leave, which cancels what is under way. */
async function some(answer: Results<unknown>, take: number): Promise<unknown[]> {
  const items: unknown[] = [];
  for await (const item of answer) {
    items.push(item);
    if (items.length === take) break;
  }
  return items;
}

/** A part of a session, as scenarios write it. */
function said({ session, messages }: Context): Mapping {
  return { session, messages: messages.map(({ memory, hit }) => ({ memory: plain(memory), ...(hit ? { hit: true } : {}) })) };
}

/** What became of a memory, as scenarios write it. */
function ingested(outcome: Outcome): Mapping {
  if (outcome.error) return { offset: outcome.offset, error: facts(outcome.error) };
  const { offset, name, revision, searchable, redactions } = outcome;
  const told = redactions.length ? { redactions: plain(redactions) } : {};
  return { offset, name, revision: plain(revision), searchable, ...told };
}

/** An error as scenarios write it. */
export function facts({ code, reason, fields, metadata, retryable }: QuipuError): Mapping {
  return { code, reason, fields, metadata, retryable };
}

/** A change as scenarios write it. */
function watched({ space, revision, change, memory, left }: Change): Mapping {
  const name = `MEMORY_CHANGE_${MemoryChange[change]}`;
  return { space, revision: plain(revision), change: name, memory: plain(memory), ...(left ? { left } : {}) };
}

/** A result as JSON has it. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
  if (value instanceof Float32Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (!isMapping(value)) return value;
  if (!isMessage(value)) return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
  const schema = MESSAGES.getMessage(value.$typeName);
  if (!schema) throw new Error(`there is no message ${value.$typeName}`);
  return toJson(schema, value, { useProtoFieldName: true, registry: MESSAGES });
}
