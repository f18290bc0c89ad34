import type { Server } from "bun"
import type { Elysia } from "elysia"
import { asciiJson } from "../../protocol/ascii-json.ts"
import { BunhouseError, decodeErrorRecord } from "../../protocol/errors.ts"
import {
  BYTES_HEADER,
  JOB_HEADER,
  JSON_TYPE,
  OUTCOME_HEADER,
  PAYLOAD_TYPE,
  paths,
  SCHEDULE_HEADER,
} from "../../protocol/http.ts"
import { JOB_FILTERS, type JobFilter, readJobOptions, readJsonHeader } from "../../protocol/job.ts"
import { Fields } from "../../protocol/fields.ts"
import { JOB_WAIT_MS_MAX, JOBS_LISTED_MAX, JOBS_WAITED_MAX } from "../../protocol/limits.ts"
import { checkName } from "../../protocol/names.ts"
import { readScheduleSpec } from "../../protocol/schedule.ts"
import type { JobArguments } from "../jobs/arguments.ts"
import type { Jobs } from "../jobs/jobs.ts"
import type { StoredOutcome } from "../jobs/outcome.ts"
import type { Schedules } from "../jobs/schedules.ts"
import { answer, errorResponse, jsonResponse } from "./answer.ts"
import { readJsonBody } from "./body.ts"
import { readCallBody } from "./call-body.ts"
import { downloadStream } from "./download-stream.ts"
import { idIn, namesIn } from "./path-names.ts"
import { jobTimeoutOf } from "./timeout.ts"

/** Routes of jobs and schedules. Arguments and results pass through undecoded, as those of calls do. */
export interface JobParts {
  readonly jobs: Jobs
  readonly schedules: Schedules
  /** Why no calls are accepted now; undefined when they are. */
  refusal(): BunhouseError | undefined
}

export function jobRoutes(app: Elysia, parts: JobParts): void {
  const { jobs } = parts
  app
    .post("/v1/envs/:env/functions/:function/jobs", async ({ request, server }) => {
      const { env, function: fn } = namesIn(request)
      const given = readJsonHeader(JOB_HEADER, request.headers.get(JOB_HEADER))
      const options = readJobOptions(given)
      const timeoutMs = jobTimeoutOf(request)
      const { isJson, args } = await readArguments(request, server)
      refuseUnless(parts)
      const job = await jobs.start({ ...options, env, function: fn, timeoutMs, isJson }, args)
      return jsonResponse({ job }, 202)
    })
    .get(paths.jobs, ({ request }) => {
      const query = new URL(request.url).searchParams
      return jsonResponse({ jobs: jobs.list(filterIn(query), limitIn(query)) })
    })
    .post(paths.jobsEnded, async ({ request, server }) => {
      const { ids, waitMs } = readWait(await readJsonBody(request))
      patient(server, request)
      return jsonResponse({ ended: await jobs.ended(ids, waitMs, request.signal) })
    })
    .get("/v1/jobs/:id", ({ request }) => jsonResponse({ job: jobs.status(idIn(request)) }))
    .delete("/v1/jobs/:id", async ({ request, server }) => {
      patient(server, request)
      return jsonResponse({ job: await jobs.cancel(idIn(request)) })
    })
    .get("/v1/jobs/:id/result", async ({ request, server }) => {
      const waitMs = waitIn(new URL(request.url).searchParams)
      patient(server, request)
      const outcome = await jobs.outcome(idIn(request), waitMs, request.signal)
      if (outcome !== undefined) return await outcomeResponse(outcome)
      return jsonResponse({ job: jobs.status(idIn(request)) }, 202)
    })
    .get("/v1/jobs/:id/logs", async ({ request, server }) => {
      const query = new URL(request.url).searchParams
      const from = wholeIn(query, "from", Number.MAX_SAFE_INTEGER) ?? 0
      const waitMs = waitIn(query)
      patient(server, request)
      return jsonResponse(await jobs.logs(idIn(request), from, waitMs, request.signal))
    })
  scheduleRoutes(app, parts)
}

function scheduleRoutes(app: Elysia, parts: JobParts): void {
  const { schedules } = parts
  app
    .get(paths.schedules, () => jsonResponse({ schedules: schedules.list() }))
    .put("/v1/schedules/:name", async ({ request, server }) => {
      const name = idIn(request)
      checkName("schedule", name)
      const given = readJsonHeader(SCHEDULE_HEADER, request.headers.get(SCHEDULE_HEADER))
      const spec = readScheduleSpec(given)
      const { isJson, args } = await readArguments(request, server)
      refuseUnless(parts)
      return jsonResponse({ schedule: await schedules.put({ ...spec, name, isJson }, args) })
    })
    .delete("/v1/schedules/:name", async ({ request }) => {
      await schedules.remove(idIn(request))
      return jsonResponse({ removed: true })
    })
}

function refuseUnless(parts: JobParts): void {
  const refusal = parts.refusal()
  if (refusal !== undefined) throw refusal
}

/** Large ones are not read yet: who stores them reads them. */
async function readArguments(
  request: Request,
  server: Server<unknown> | null,
): Promise<{ readonly isJson: boolean; readonly args: JobArguments }> {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() ?? JSON_TYPE
  if (type !== JSON_TYPE && type !== PAYLOAD_TYPE) {
    const message = `expected content-type ${JSON_TYPE} or ${PAYLOAD_TYPE}, got ${JSON.stringify(type)}`
    throw new BunhouseError("INVALID_ARGUMENT", message)
  }
  const isJson = type === JSON_TYPE
  const body = await readCallBody(request)
  if (body.kind === "open") {
    patient(server, request)
    return { isJson, args: body }
  }
  return { isJson, args: isJson && body.bytes.length === 0 ? NO_ARGUMENTS : body.bytes }
}

/** The result as it came from the env process, or the platform's error; both say that they are the job's. */
async function outcomeResponse(outcome: StoredOutcome): Promise<Response> {
  const { status, kind, isJson, payload } = outcome
  const headers = { [OUTCOME_HEADER]: kind, [JOB_HEADER]: asciiJson(status) }
  const type = isJson ? JSON_TYPE : PAYLOAD_TYPE
  if (!(payload instanceof Uint8Array)) {
    const { bytes, chunks } = payload
    const release = () => void chunks.return(undefined)
    const body = await downloadStream({ chunks, release })
    return answer(body, type, 200, { ...headers, [BYTES_HEADER]: String(bytes) })
  }
  if (kind !== "failed") return answer(new Uint8Array(payload), type, 200, headers)
  const response = errorResponse(decodeErrorRecord(payload))
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
  return response
}

function readWait(input: unknown): { readonly ids: string[]; readonly waitMs: number } {
  const fields = new Fields("what is waited for", input)
  const ids = fields.list("ids").map(String)
  const waitMs = fields.integer("waitMs", 0, JOB_WAIT_MS_MAX)
  fields.done()
  if (ids.length <= JOBS_WAITED_MAX) return { ids, waitMs }
  const message = `expected up to ${JOBS_WAITED_MAX} ids, got ${ids.length}`
  throw new BunhouseError("INVALID_ARGUMENT", message)
}

function filterIn(query: URLSearchParams): JobFilter | undefined {
  const given = query.get("state")
  if (given === null) return undefined
  const filter = JOB_FILTERS.find((known) => known === given)
  if (filter !== undefined) return filter
  throw refused("state", `one of ${JOB_FILTERS.join(", ")}`, given)
}

function limitIn(query: URLSearchParams): number {
  return wholeIn(query, "limit", JOBS_LISTED_MAX) ?? JOBS_LISTED_MAX
}

function waitIn(query: URLSearchParams): number {
  return wholeIn(query, "waitMs", JOB_WAIT_MS_MAX) ?? 0
}

function wholeIn(query: URLSearchParams, name: string, max: number): number | undefined {
  const given = query.get(name)
  if (given === null) return undefined
  if (/^\d{1,16}$/.test(given) && Number(given) <= max) return Number(given)
  throw refused(name, `a whole number up to ${max}`, given)
}

function refused(name: string, expected: string, given: string): BunhouseError {
  const got = JSON.stringify(given.slice(0, 40))
  return new BunhouseError("INVALID_ARGUMENT", `expected ${name} to be ${expected}, got ${got}`)
}

/** From here on the answer may take as long as it is waited for. */
function patient(server: Server<unknown> | null, request: Request): void {
  server?.timeout(request, 0)
}

const NO_ARGUMENTS = Buffer.from(`{"args":[]}`)
