/** Calls that look after work in the background. */

import { create, type JsonObject } from "@bufbuild/protobuf";
import { JobState, type Job } from "./gen/quipu/v1/job_pb.js";
import {
  CancelJobRequestSchema,
  GetJobRequestSchema,
  JobService,
  ListJobsRequestSchema,
  RunJobRequestSchema,
  WatchJobRequestSchema,
} from "./gen/quipu/v1/job_service_pb.js";
import { jobName, spaceName, type JobLike } from "./names.js";
import { integer } from "./numbers.js";
import type { CallOptions, SpaceOptions } from "./options.js";
import { paged, PAGE_SIZE } from "./pages.js";
import { Results } from "./results.js";
import { present, type Session } from "./session.js";

/** Options of `runJob`. */
export interface RunJobOptions extends SpaceOptions {
  /** What the kind can be told. */
  readonly arguments?: JsonObject | undefined;
}

/** Options of `jobs`. */
export interface ListJobsOptions extends CallOptions {
  /** Only jobs in these states; default: all. */
  readonly states?: readonly JobState[] | undefined;
  /** Only jobs of this kind. */
  readonly kind?: string | undefined;
  /** Only jobs on this space, by id or name. */
  readonly space?: string | undefined;
  /** Jobs in one call, 1 to 1,000; default 100. */
  readonly pageSize?: number | undefined;
}

export async function runJob(session: Session, kind: string, options: RunJobOptions): Promise<Job> {
  const space = session.parent(options.space);
  const request = create(RunJobRequestSchema, { kind, space, arguments: options.arguments ?? {} });
  return present((await session.wire.unary(JobService.method.runJob, request, options)).job);
}

export async function getJob(session: Session, job: JobLike, options: CallOptions): Promise<Job> {
  const request = create(GetJobRequestSchema, { name: jobName(job) });
  return present((await session.wire.unary(JobService.method.getJob, request, options)).job);
}

export function jobs(session: Session, options: ListJobsOptions): Results<Job> {
  const request = create(ListJobsRequestSchema, {
    pageSize: integer("pageSize", options.pageSize ?? PAGE_SIZE),
    states: [...(options.states ?? [])],
    kind: options.kind ?? "",
    space: options.space ? spaceName(options.space) : "",
  });
  return paged(session.wire, JobService.method.listJobs, request, (page) => page.jobs, options);
}

export async function cancelJob(session: Session, job: JobLike, options: CallOptions): Promise<Job> {
  const request = create(CancelJobRequestSchema, { name: jobName(job) });
  return present((await session.wire.unary(JobService.method.cancelJob, request, options)).job);
}

export function watchJob(session: Session, job: JobLike, options: CallOptions): Results<Job> {
  const request = create(WatchJobRequestSchema, { name: jobName(job) });
  return new Results(async function* (signal) {
    for await (const response of session.wire.stream(JobService.method.watchJob, request, { ...options, signal })) {
      yield [present(response.job)];
    }
  }, options.signal);
}
