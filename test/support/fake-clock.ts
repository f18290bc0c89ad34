import type { Clock } from "../../protocol/deadlines.ts"

/** A clock that moves only when a test says so. */
export class FakeClock implements Clock {
  #now = 1_000
  #timers: { readonly at: number; readonly callback: () => void }[] = []

  now(): number {
    return this.#now
  }

  after(ms: number, callback: () => void): void {
    this.#timers.push({ at: this.#now + ms, callback })
  }

  /** Timers that wait. */
  get armed(): number {
    return this.#timers.length
  }

  /** Time of the next timer, Infinity if there is none. */
  get nextAt(): number {
    return Math.min(...this.#timers.map((timer) => timer.at), Number.POSITIVE_INFINITY)
  }

  /** Moves on by `ms`, calling back every timer at its own time. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const at = this.nextAt
      if (at > end) break
      const index = this.#timers.findIndex((timer) => timer.at === at)
      const [timer] = this.#timers.splice(index, 1)
      this.#now = at
      timer?.callback()
    }
    this.#now = end
  }

  /** The machine sleeps for `ms`: what was due meanwhile is called back late, at its end. */
  sleep(ms: number): void {
    this.#now += ms
    for (const timer of this.#timers.splice(0)) {
      if (timer.at <= this.#now) timer.callback()
      else this.#timers.push(timer)
    }
  }
}
