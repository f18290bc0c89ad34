import { now } from "../../protocol/deadlines.ts"
import { processorTime } from "./processor-time.ts"

/**
 * How many threads take calls at most.
 *
 * - Where calls are ended, at most one per core, and as many as have enough to do: twice as many while threads stall or are
 *   held up by calls, one fewer when those that there are ran for so little time that one fewer would do. For short calls
 *   the hand-over costs more than the call, and fewer threads have more of them handed over at a time.
 * - Where none are ended, calls are long: with each stall the width quadruples, up to a thread for each call.
 */
export class Width {
  value = 1
  readonly #max: number
  readonly #ranMsOf: RanMsOf
  /** Ticks at which calls were ended, since the last look at what threads ran. */
  #ticks = 0
  #looked: Look | undefined

  constructor(max: number, ranMsOf: RanMsOf = (thread) => processorTime(thread)?.ranMs) {
    this.#max = max
    this.#ranMsOf = ranMsOf
  }

  /** Whether threads that are held up would make it grow. */
  get mayGrow(): boolean {
    return this.value < CORES
  }

  /** After each tick: how many threads have stalled, and were held up by calls; how many calls ended. */
  adapt({ stalled, heldUp, ended }: TickFacts): void {
    const before = this.value
    if (ended >= FLOWING_CALLS) this.value = Math.min(this.value, CORES)
    if (ended > 0) {
      const most = heldUp + stalled > 0 ? Math.min(CORES, this.value * 2) : 1
      this.value = Math.max(this.value, most)
    } else if (stalled > 0) {
      this.value = Math.min(this.#max, this.value * STALL_GROWTH)
    }
    if (this.value !== before) this.#looked = undefined
  }

  /** At a tick at which calls were ended; `threads` are the system's numbers of those that take calls, or would. */
  spare(threads: () => Iterable<number>): void {
    if (this.value === 1 || this.value > CORES || ++this.#ticks < LOOK_TICKS) return
    this.#ticks = 0
    const before = this.#looked
    const look = this.#lookAt(threads())
    this.#looked = look
    if (look === undefined || before === undefined) return
    const elapsedMs = look.timeMs - before.timeMs
    if (
      elapsedMs < LOOK_MS_MAX &&
      ranBetween(before, look) < (this.value - 1) * BUSY_MIN * elapsedMs
    ) {
      this.value--
      this.#looked = undefined
    }
  }

  /** Undefined where the system does not tell. */
  #lookAt(threads: Iterable<number>): Look | undefined {
    const ranMs = new Map<number, number>()
    for (const thread of threads) {
      const ran = this.#ranMsOf(thread)
      if (ran === undefined) return undefined
      ranMs.set(thread, ran)
    }
    return { timeMs: now(), ranMs }
  }
}

/** What the thread of a number has run, in all; undefined where the system does not tell. */
type RanMsOf = (thread: number) => number | undefined

export interface TickFacts {
  readonly stalled: number
  readonly heldUp: number
  readonly ended: number
}

interface Look {
  readonly timeMs: number
  /** What each thread has run, in all. */
  readonly ranMs: ReadonlyMap<number, number>
}

/** Milliseconds, of all threads together. */
function ranBetween(before: Look, look: Look): number {
  let sum = 0
  for (const [thread, ranMs] of look.ranMs) sum += ranMs - (before.ranMs.get(thread) ?? ranMs)
  return sum
}

const CORES = navigator.hardwareConcurrency
/** As many calls ended within a tick, by all threads together, are short ones. */
const FLOWING_CALLS = 8
const STALL_GROWTH = 4
const LOOK_TICKS = 50
/** A longer time was not one of much to do. */
const LOOK_MS_MAX = 1_000
/** Of a core, for each of the threads that would remain. */
const BUSY_MIN = 0.5
