/** Names of resources from what callers give: an id, a full name, or the resource itself. */

import type { Job } from "./gen/quipu/v1/job_pb.js";
import type { Memory } from "./gen/quipu/v1/memory_pb.js";

/** A memory: its id, its name `spaces/{space}/memories/{memory}`, or itself. */
export type MemoryLike = string | Memory;

/** A job: its id, its name `jobs/{job}`, or itself. */
export type JobLike = string | Job;

/** `jobs/{job}` from an id, a name or a job. */
export function jobName(job: JobLike): string {
  const name = typeof job === "string" ? job : job.name;
  return name.startsWith("jobs/") ? name : `jobs/${name}`;
}

/** `spaces/{space}` from an id or a name. */
export function spaceName(space: string): string {
  return space.startsWith("spaces/") ? space : `spaces/${space}`;
}

/** `spaces/{space}/memories/{memory}` from an id, a name or a memory. */
export function memoryName(memory: MemoryLike, space: string): string {
  if (typeof memory !== "string") return memory.name;
  return memory.startsWith("spaces/") ? memory : `${spaceName(space)}/memories/${memory}`;
}

/** `spaces/{space}/sessions/{session}` from an id or a name. */
export function sessionName(session: string, space: string): string {
  return session.startsWith("spaces/") ? session : `${spaceName(space)}/sessions/${session}`;
}

/** `models/{model}` from an id or a name; empty for the default model. */
export function modelName(model: string | undefined): string {
  return model && !model.startsWith("models/") ? `models/${model}` : (model ?? "");
}

/** The name of the space of a memory or a session. */
export function spaceOf(name: string): string {
  return name.split("/", 2).join("/");
}
