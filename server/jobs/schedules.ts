import type { StoredHead } from "../../broker/job-store.ts"
import { asBunhouseError, BunhouseError } from "../../protocol/errors.ts"
import { readScheduleRecord, type ScheduleRecord } from "../../protocol/job-record.ts"
import { SCHEDULES_MAX } from "../../protocol/limits.ts"
import { nameToken } from "../../protocol/names.ts"
import type { ScheduleStatus } from "../../protocol/schedule.ts"
import { storedPayload } from "../calls/open-payload.ts"
import type { FunctionRoute } from "../calls/route.ts"
import type { Log } from "../log.ts"
import type { StoredPayloads } from "../payloads/stored-payloads.ts"
import { checkArguments, fitRecord, type JobArguments, openArguments } from "./arguments.ts"
import type { Agenda, Entry } from "./agenda.ts"
import { nextTick } from "./cron.ts"
import type { JobRequest } from "./jobs.ts"
import type { Keeper } from "./keeper.ts"

/**
 * What starts jobs by the clock. A schedule is kept like a job: its arguments are bytes.
 *
 * Invariants:
 * U1. One tick starts one job at most: its id is made of the schedule's name and the time of the tick.
 * U2. A tick that came while no daemon ran, or while the machine slept, is not made up for.
 */
export class Schedules {
  readonly #schedules = new Map<string, Schedule>()
  readonly #parts: SchedulesParts
  /** Changes follow each other. */
  #changes: Promise<unknown> = Promise.resolve()

  constructor(parts: SchedulesParts) {
    this.#parts = parts
  }

  /** Makes a schedule, or changes it. Rejects with INVALID_ARGUMENT, NOT_FOUND, OVERLOADED and as a job's start. */
  async put(record: ScheduleRecord, args: JobArguments): Promise<ScheduleStatus> {
    const { env, function: fn, cron, timeZone } = record
    const { agenda, keeper, payloads, find } = this.#parts
    if (nextTick(cron, timeZone, agenda.now()) === undefined) {
      const message = `${JSON.stringify(cron)} never comes: give a cron expression or a date in the future`
      throw new BunhouseError("INVALID_ARGUMENT", message)
    }
    checkArguments(find(env, fn), args)
    if (fitRecord(args, keeper.bodyBytesMax)) return await this.#put(record, args)
    const large = await payloads.write(openArguments(args))
    return await this.#put({ ...record, large }, NOTHING)
  }

  #put(record: ScheduleRecord, args: Uint8Array): Promise<ScheduleStatus> {
    return this.#inTurn(async () => {
      const { name, isJson, large, ...spec } = record
      const old = this.#schedules.get(name)
      if (old === undefined && this.#schedules.size >= SCHEDULES_MAX) {
        this.#dropLarge(record)
        throw new BunhouseError("OVERLOADED", `there are ${SCHEDULES_MAX} schedules already`)
      }
      const head = { name, isJson, spec, ...(large !== undefined && { large }) }
      await this.#parts.keeper.put(keyOf(name), head, args)
      if (old !== undefined) this.#dropLarge(old.record)
      return this.#status(this.#add(record))
    })
  }

  /** Rejects with NOT_FOUND. */
  remove(name: string): Promise<void> {
    return this.#inTurn(async () => {
      const schedule = this.#schedules.get(name)
      if (schedule === undefined) {
        throw new BunhouseError("NOT_FOUND", `there is no schedule ${JSON.stringify(name)}`)
      }
      await this.#parts.keeper.delete(keyOf(name))
      this.#drop(schedule)
      this.#dropLarge(schedule.record)
    })
  }

  list(): ScheduleStatus[] {
    return [...this.#schedules.values()].map((schedule) => this.#status(schedule))
  }

  /** Takes up what an earlier daemon left; the next ticks count from now (U2). */
  restore(heads: readonly StoredHead[], problem: (line: string) => void): void {
    for (const { key, head } of heads) {
      if (!key.startsWith(PREFIX)) continue
      try {
        const { large } = this.#add(readScheduleRecord(head)).record
        if (large !== undefined) this.#parts.payloads.adopt(large)
      } catch (error) {
        problem(`${key} is left out: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }

  #add(record: ScheduleRecord): Schedule {
    const schedule: Schedule = {
      record,
      entry: undefined,
      lastJobId: undefined,
      lastError: undefined,
    }
    const old = this.#schedules.get(record.name)
    this.#plan(schedule)
    if (old !== undefined) this.#drop(old)
    this.#schedules.set(record.name, schedule)
    return schedule
  }

  #drop(schedule: Schedule): void {
    if (schedule.entry !== undefined) this.#parts.agenda.remove(schedule.entry)
    this.#schedules.delete(schedule.record.name)
  }

  /** The store names it no more. */
  #dropLarge({ large }: ScheduleRecord): void {
    if (large !== undefined) this.#parts.payloads.drop(large)
  }

  #plan(schedule: Schedule): void {
    const { agenda } = this.#parts
    const { cron, timeZone } = schedule.record
    const at = nextTick(cron, timeZone, agenda.now())
    schedule.entry = at === undefined ? undefined : agenda.add(at, () => this.#due(schedule, at))
  }

  #due(schedule: Schedule, at: number): void {
    this.#plan(schedule)
    if (this.#parts.agenda.now() - at <= LATE_MS_MAX) void this.#tick(schedule, at) // U2
  }

  /** Never rejects: nobody waits for it, but it is told by the schedule and the log. */
  async #tick(schedule: Schedule, at: number): Promise<void> {
    const { start, log } = this.#parts
    const { name, env, function: fn, job, isJson } = schedule.record
    try {
      const args = await this.#arguments(schedule.record)
      if (args === undefined) throw new BunhouseError("NOT_FOUND", "its arguments are gone")
      const id = `${nameToken(name)}-${at.toString(36)}` // U1
      await start({ id, env, function: fn, plan: job, timeoutMs: 0, isJson, schedule: name }, args)
      schedule.lastJobId = id
      schedule.lastError = undefined
    } catch (cause) {
      schedule.lastError = asBunhouseError(cause, "the tick").message
      log("schedule started no job", { schedule: name, reason: schedule.lastError })
    }
  }

  /** For one job, which has a copy of its own of what is large. Undefined where the store has forgotten them. */
  async #arguments({ name, large }: ScheduleRecord): Promise<JobArguments | undefined> {
    const { keeper, payloads } = this.#parts
    if (large === undefined) return await keeper.body(keyOf(name))
    const what = `the arguments of the schedule ${name}`
    return storedPayload(what, large.bytes, payloads.read(what, large))
  }

  #status({ record, entry, lastJobId, lastError }: Schedule): ScheduleStatus {
    const { name, cron, timeZone, env, function: fn } = record
    return {
      name,
      cron,
      env,
      function: fn,
      ...(timeZone !== undefined && { timeZone }),
      ...(entry !== undefined && { nextAt: new Date(entry.at).toISOString() }),
      ...(lastJobId !== undefined && { lastJobId }),
      ...(lastError !== undefined && { lastError }),
    }
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const turn = this.#changes.then(change, change)
    this.#changes = turn
    return turn
  }
}

export interface SchedulesParts {
  readonly keeper: Keeper
  readonly payloads: StoredPayloads
  readonly agenda: Agenda
  readonly log: Log
  readonly start: (request: JobRequest, args: JobArguments) => Promise<unknown>
  /** Throws NOT_FOUND. */
  readonly find: (env: string, fn: string) => FunctionRoute
}

interface Schedule {
  readonly record: ScheduleRecord
  entry: Entry | undefined
  lastJobId: string | undefined
  lastError: string | undefined
}

const NOTHING = new Uint8Array(0)
const PREFIX = "schedule."
/** A tick that is later than this was missed. */
const LATE_MS_MAX = 60_000

function keyOf(name: string): string {
  return `${PREFIX}${nameToken(name)}`
}
