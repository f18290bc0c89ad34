import type { ChunkStore } from "../../broker/chunks.ts"
import type { JobStore, StoredHead } from "../../broker/job-store.ts"
import type { Clock } from "../../protocol/deadlines.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { JOBS_BYTES_MAX } from "../../protocol/limits.ts"
import { isGeneratorKind } from "../../protocol/members.ts"
import type { Dispatcher } from "../calls/dispatcher.ts"
import type { FunctionRoute } from "../calls/route.ts"
import type { Log } from "../log.ts"
import { Room } from "../payloads/room.ts"
import { StoredPayloads } from "../payloads/stored-payloads.ts"
import { Agenda } from "./agenda.ts"
import { Jobs } from "./jobs.ts"
import { Keeper } from "./keeper.ts"
import { Runner } from "./runner.ts"
import { Schedules } from "./schedules.ts"

/** All that has to do with jobs, tied together. */
export interface JobService {
  readonly jobs: Jobs
  readonly schedules: Schedules
  /** What all of it takes in the store. */
  readonly room: Room
  /** Nothing is run before. */
  begin(): void
  /** From now on nothing begins; what is on the way goes on. */
  drain(): void
  /** After `drain`: what is on the way may be written down for up to `graceMs`; then nothing is written any more. */
  stop(graceMs: number): Promise<void>
}

/** Takes up what an earlier daemon left. Functions are known already. */
export async function openJobs(options: {
  readonly store: JobStore
  /** All that the store holds. */
  readonly heads: readonly StoredHead[]
  /** Whether `heads` are all that there are. */
  readonly isWhole: boolean
  /** Opens the store of what is too large for `store`. Rejects with UNAVAILABLE. */
  readonly openPayloads: () => Promise<ChunkStore>
  readonly dispatcher: Dispatcher
  readonly bootId: string
  readonly log: Log
  readonly registry: Functions
  readonly problem: (line: string) => void
  readonly clock?: Clock
}): Promise<JobService> {
  const { store, heads, dispatcher, bootId, log, registry, clock } = options
  const agenda = new Agenda(clock)
  const keeper = new Keeper(store)
  const room = new Room("jobs, their results and lines", JOBS_BYTES_MAX)
  let isWhole = options.isWhole
  const problem = (line: string) => {
    isWhole = false
    options.problem(line)
  }
  const open = options.openPayloads
  const payloads = new StoredPayloads({ open, room, mayRemove: () => isWhole, log })
  const runner: Runner = new Runner({
    dispatcher,
    payloads,
    bootId,
    keeper,
    agenda,
    log,
    find: ({ record }) => registry.find(record.env, record.function),
    grew: (job, bytes) => jobs.hasGrown(job, bytes),
    ended: (job) => jobs.hasEnded(job),
  })
  const route = (env: string, fn: string) => functionIn(registry, env, fn)
  const jobs: Jobs = new Jobs({ keeper, payloads, room, agenda, runner, find: route })
  const start = jobs.start.bind(jobs)
  const schedules = new Schedules({ keeper, payloads, agenda, log, start, find: route })
  // First, and at once: before the store of payloads is opened all that is in it has to be known.
  schedules.restore(heads, problem)
  await jobs.restore(heads, problem)
  payloads.prepare()
  return {
    jobs,
    schedules,
    room,
    begin: () => runner.begin(),
    drain() {
      agenda.stop()
      runner.stop()
    },
    async stop(graceMs) {
      const { promise: late, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, graceMs)
      await Promise.race([runner.settled(), late])
      clearTimeout(timer)
      keeper.stop()
    },
  }
}

/** Classes, modules, instances and generators are no jobs: what they hold ends with their process. */
function functionIn(registry: Functions, env: string, fn: string): FunctionRoute {
  const route = registry.route(env, fn)
  const { kind } = route.info
  const isFunction = kind !== "class" && kind !== "module" && !fn.includes("/")
  if (isFunction && !isGeneratorKind(kind)) return route
  const what = isFunction ? "a generator function" : "no function"
  const message = `${route.address} is ${what}, and only functions that return once can be started as jobs`
  throw new BunhouseError("INVALID_ARGUMENT", message, { env, function: fn })
}

interface Functions {
  find(env: string, fn: string): FunctionRoute | undefined
  /** Throws NOT_FOUND. */
  route(env: string, fn: string): FunctionRoute
}
