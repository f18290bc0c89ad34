import { processorTime } from "./processor-time.ts"

/**
 * How many threads take calls at most.
 *
 * - Where calls are ended, at most one per core, and as many as have enough to do: one more while threads are held up by
 *   calls, one fewer when those that there are ran for so little time that one fewer would do. For short calls the
 *   hand-over costs more than the call, and fewer threads have more of them handed over at a time.
 * - Where none are ended, calls are long: with each stall the width quadruples, up to a thread for each call.
 */
export class Width {
  value = 1
  readonly #max: number
  /** Ticks at which calls were ended, since the last look at what threads ran. */
  #ticks = 0
  #looked: Look | undefined

  constructor(max: number) {
    this.#max = max
  }

  /** After each tick: how many threads have stalled, and were held up by calls; how many calls ended. */
  adapt({ stalled, heldUp, ended }: TickFacts): void {
    if (ended >= FLOWING_CALLS) this.value = Math.min(this.value, CORES)
    if (ended > 0) {
      if (heldUp > 0) this.value = Math.max(this.value, Math.min(CORES, this.value * 2))
    } else if (stalled > 0) {
      this.value = Math.min(this.#max, this.value * STALL_GROWTH)
    }
  }

  /** At a tick at which calls were ended; `threads` are the system's numbers of all there are. */
  spare(threads: () => Iterable<number>): void {
    if (this.value === 1 || this.value > CORES || ++this.#ticks < LOOK_TICKS) return
    this.#ticks = 0
    const before = this.#looked
    const look = lookAt(threads())
    this.#looked = look
    if (look === undefined || before === undefined) return
    const busy = (look.ranMs - before.ranMs) / (look.timeMs - before.timeMs)
    if (busy < (this.value - 1) * BUSY_MIN) this.value--
  }
}

export interface TickFacts {
  readonly stalled: number
  readonly heldUp: number
  readonly ended: number
}

/** What all threads together have run, in all. */
interface Look {
  readonly timeMs: number
  readonly ranMs: number
}

/** Undefined where the system does not tell. */
function lookAt(threads: Iterable<number>): Look | undefined {
  let ranMs = 0
  for (const thread of threads) {
    const time = processorTime(thread)
    if (time === undefined) return undefined
    ranMs += time.ranMs
  }
  return { timeMs: performance.now(), ranMs }
}

const CORES = navigator.hardwareConcurrency
/** As many calls ended within a tick, by all threads together, are short ones. */
const FLOWING_CALLS = 8
const STALL_GROWTH = 4
const LOOK_TICKS = 50
/** Of a core, for each of the threads that would remain. */
const BUSY_MIN = 0.5
