import { CALL_TIMEOUT_MS_DEFAULT, CALL_TIMEOUT_MS_MAX } from "./limits.ts"
import { BunhouseError } from "./errors.ts"

/**
 * Deadlines: relative on the wire, absolute on this process's monotonic clock inside.
 *
 * Invariants:
 * D1. An absolute deadline never leaves the process that computed it.
 * D2. `onDue` is called once for an entry that was added and not removed, never before its deadline, and at most
 *     1/64 of its timeout plus a timer's delay after it.
 * D3. Adding and removing cost O(1) and no timer: entries of like timeouts form one list in order of their deadlines,
 *     and only a list has a timer. (The idea is that of Node's timer lists.)
 */

/** Milliseconds on this process's monotonic clock. */
export function now(): number {
  return performance.now()
}

/** What an option means on the wire. Throws INVALID_ARGUMENT for what is no timeout. */
export function checkTimeoutMs(timeoutMs: number | undefined): number {
  if (timeoutMs === undefined) return CALL_TIMEOUT_MS_DEFAULT
  if (Number.isFinite(timeoutMs) && timeoutMs >= 0 && timeoutMs <= CALL_TIMEOUT_MS_MAX) {
    return Math.ceil(timeoutMs)
  }
  throw new BunhouseError(
    "INVALID_ARGUMENT",
    `expected timeoutMs to be a number of milliseconds from 0 (no deadline) to ${CALL_TIMEOUT_MS_MAX}, got ${String(timeoutMs)}`,
  )
}

/** Time left, for the next hop: at least 1, because 0 means that there is no deadline. */
export function remainingMs(dueAt: number): number {
  if (dueAt === Number.POSITIVE_INFINITY) return 0
  return Math.max(1, Math.ceil(dueAt - now()))
}

/** Something with a deadline. The fields belong to `Deadlines` while the entry is in it. */
export interface Timed<T> {
  /** On the monotonic clock. */
  dueAt: number
  timedList: TimedList<T> | undefined
  timedNext: T | undefined
  timedPrevious: T | undefined
}

interface TimedList<T> {
  readonly key: number
  first: T | undefined
  last: T | undefined
}

/** What `Deadlines` needs of time; tests hand in a clock of their own. */
export interface Clock {
  now(): number
  /** Calls back once, in `ms` milliseconds, without keeping the process alive. */
  after(ms: number, callback: () => void): void
}

/** The engine takes a longer wait for one of a millisecond, and deadlines may be longer than this. */
const TIMER_MS_MAX = 0x7fff_ffff

const SYSTEM_CLOCK: Clock = {
  now,
  after: (ms, callback) => void setTimeout(callback, ms).unref(),
}

export class Deadlines<T extends Timed<T>> {
  readonly #lists = new Map<number, TimedList<T>>()
  readonly #onDue: (entry: T) => void
  readonly #clock: Clock

  constructor(onDue: (entry: T) => void, clock: Clock = SYSTEM_CLOCK) {
    this.#onDue = onDue
    this.#clock = clock
  }

  /** Sets `entry.dueAt`. A timeout of 0 means that it is never due. */
  add(entry: T, timeoutMs: number): void {
    if (timeoutMs === 0) {
      entry.dueAt = Number.POSITIVE_INFINITY
      return
    }
    const key = roundUp(timeoutMs)
    entry.dueAt = this.#clock.now() + timeoutMs
    let list = this.#lists.get(key)
    if (list === undefined) {
      list = { key, first: undefined, last: undefined }
      this.#lists.set(key, list)
      this.#arm(list, key)
    }
    const last = list.last
    entry.timedList = list
    entry.timedPrevious = last
    if (last === undefined) list.first = entry
    else last.timedNext = entry
    list.last = entry
  }

  /** Legal for an entry that is not in. */
  remove(entry: T): void {
    const list = entry.timedList
    if (list === undefined) return
    const { timedNext: next, timedPrevious: previous } = entry
    if (previous === undefined) list.first = next
    else previous.timedNext = next
    if (next === undefined) list.last = previous
    else next.timedPrevious = previous
    entry.timedList = undefined
    entry.timedNext = undefined
    entry.timedPrevious = undefined
  }

  #arm(list: TimedList<T>, ms: number): void {
    // A list whose timer fires too early is armed again.
    const waitMs = Math.min(Math.max(1, Math.ceil(ms)), TIMER_MS_MAX)
    this.#clock.after(waitMs, () => this.#fire(list))
  }

  #fire(list: TimedList<T>): void {
    const time = this.#clock.now()
    // Entries of one list may differ in timeout by the rounding, so a due one may stand behind one that is not:
    // it is found when the one before it is due (D2).
    try {
      for (let entry = list.first; entry !== undefined && entry.dueAt <= time; entry = list.first) {
        this.remove(entry)
        this.#onDue(entry)
      }
    } finally {
      // Also after an `onDue` that threw: the entries behind it must not be lost (D2).
      if (list.first === undefined) this.#lists.delete(list.key)
      else this.#arm(list, list.first.dueAt - time)
    }
  }
}

/** Rounds up by at most 1/64, so that the number of lists is bounded whatever timeouts callers think of. */
function roundUp(timeoutMs: number): number {
  if (timeoutMs <= 128) return Math.ceil(timeoutMs)
  const step = 2 ** (Math.floor(Math.log2(timeoutMs)) - 6)
  return Math.ceil(timeoutMs / step) * step
}
