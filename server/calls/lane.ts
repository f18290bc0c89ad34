import { now } from "../../protocol/deadlines.ts"
import type { EnvSpec } from "../../protocol/env-spec.ts"
import { ENV_FLIGHT_BYTES_MAX } from "../../protocol/limits.ts"
import type { Call } from "./call.ts"
import { type Backlog, CallQueue } from "./call-queue.ts"

/**
 * The places of one kind (loop or thread) in one env: how many calls occupy one, and which wait for one. Some may be
 * occupied by calls that the env process makes to itself, of which the lane knows how many they are.
 * The daemon keeps the queue, not the env process: what waits here certainly has not run (C2).
 *
 * A lane may run ahead: while calls are so short that their way takes longer than they do, more are handed over than can
 * run at once, and wait in the env process. The price is that they are told `ran: "maybe"` when it dies, so a lane does it
 * only while calls prove to be short, and never for a user's small limit.
 */
export class Lane {
  readonly queue: CallQueue
  /** Calls that will wait for a place once their env process has results of others for them (C5). */
  readonly preparing: CallQueue
  /** Calls that occupy a place. */
  running = 0
  limit: number
  readonly #flight: Flight
  readonly #mayRunAhead: boolean
  readonly #leave: LeavePlace
  #ahead = 0
  #released = 0
  #releasedSince = 0

  constructor(limit: number, backlog: Backlog, flight: Flight, options: LaneOptions = {}) {
    const { mayRunAhead = false, leave = leavesAll } = options
    this.limit = limit
    this.queue = new CallQueue(backlog)
    this.preparing = new CallQueue(backlog)
    this.#flight = flight
    this.#mayRunAhead = mayRunAhead
    this.#leave = leave
  }

  get hasPlace(): boolean {
    const free = this.limit + this.#ahead - this.running
    return free > 0 && !isFull(this.#flight) && this.#leave(free)
  }

  /** A call takes no place yet; it counts as one that waits. */
  prepare(call: Call): void {
    call.state = "preparing"
    this.preparing.push(call)
  }

  /** A call of so many bytes takes a place. */
  take(bytes: number): void {
    this.running++
    this.#flight.bytes += bytes
  }

  /** It has left its place. Says whether other lanes of the env may have waited for its bytes, too. */
  release(bytes: number): boolean {
    const wasFull = isFull(this.#flight)
    this.running--
    this.#flight.bytes -= bytes
    this.#count()
    return wasFull && !isFull(this.#flight)
  }

  #count(): void {
    if (!this.#mayRunAhead || ++this.#released < this.limit) return
    // As many calls as there are places have ended: how long did that take?
    const time = now()
    const areShort = time - this.#releasedSince < this.limit * SHORT_CALL_MS
    this.#ahead = areShort && this.limit >= AHEAD_LIMIT_MIN ? AHEAD_FACTOR * this.limit : 0
    this.#released = 0
    this.#releasedSince = time
  }
}

/** The lanes of an env. */
export function lanesFor(
  { spec, backlog, flight }: LanesOwner,
  leave: LeavePlace,
): { readonly loop: Lane; readonly thread: Lane } {
  return {
    loop: new Lane(spec.concurrency, backlog, flight),
    thread: new Lane(spec.threads.max, backlog, flight, { mayRunAhead: true, leave }),
  }
}

interface LanesOwner {
  readonly spec: Pick<EnvSpec, "concurrency" | "threads">
  readonly backlog: Backlog
  readonly flight: Flight
}

interface LaneOptions {
  readonly mayRunAhead?: boolean
  readonly leave?: LeavePlace
}

/**
 * Whether the calls that the env process makes to itself leave any of so many places. Where they do not, the lane is filled
 * again when one of them has ended.
 */
type LeavePlace = (places: number) => boolean

const leavesAll: LeavePlace = () => true

/** What was sent to one env and is not answered, in all lanes together. */
export interface Flight {
  /** Of their frames. */
  bytes: number
}

/** One call may go beyond the limit, so that the largest can always be sent. */
function isFull({ bytes }: Flight): boolean {
  return bytes >= ENV_FLIGHT_BYTES_MAX
}

const SHORT_CALL_MS = 0.25
const AHEAD_FACTOR = 3
const AHEAD_LIMIT_MIN = 16
