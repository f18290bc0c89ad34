import { now } from "../deadlines.ts"
import { STREAM_SLICE_MS } from "../limits.ts"

/**
 * Shares the turns of one event loop among the streams that are sent from it. A generator that never waits for anything
 * would otherwise run on in microtasks for ever, and nothing else of the process would.
 *
 * Invariants:
 * U1. All streams together take about STREAM_SLICE_MS of a turn; who has more to do waits in line for another turn.
 * U2. What was put off to the end of a turn is done at the end of that turn.
 */
export class Turns {
  readonly #waiting: (() => void)[] = []
  #atEnd: (() => void)[] = []
  #sliceEnd = 0
  /** The end of this turn is awaited. */
  #isArmed = false

  /** Whether the streams have used up their time in this turn. */
  isOver(): boolean {
    const time = now()
    if (this.#isArmed) return time >= this.#sliceEnd
    this.#begin(time)
    return false
  }

  /** Resolves in a later turn, when it is this one's. */
  another(): Promise<void> {
    this.#arm()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Calls back at the end of this turn. */
  atEnd(callback: () => void): void {
    this.#arm()
    this.#atEnd.push(callback)
  }

  #arm(): void {
    if (!this.#isArmed) this.#begin(now())
  }

  #begin(time: number): void {
    this.#isArmed = true
    this.#sliceEnd = time + STREAM_SLICE_MS
    setImmediate(this.#end)
  }

  readonly #end = (): void => {
    this.#isArmed = false
    const callbacks = this.#atEnd
    if (callbacks.length > 0) {
      this.#atEnd = []
      for (const callback of callbacks) callback()
    }
    // One at a time: each may need the whole slice.
    const next = this.#waiting.shift()
    if (next === undefined) return
    this.#arm()
    next()
  }
}
