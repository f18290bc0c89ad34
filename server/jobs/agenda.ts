import type { Clock } from "../../protocol/deadlines.ts"

/**
 * What is to be done at a time of day: delayed jobs, further attempts, ends of what was kept, ticks of schedules. A
 * binary heap, soonest first.
 *
 * Invariants:
 * N1. Adding and removing cost O(log n); what was removed leaves nothing behind.
 * N2. Nothing is done before its time, and what is due is done at most LOOK_MS late even when the machine slept or its
 *     clock was set, because no timer waits longer than that.
 */
export class Agenda {
  readonly #clock: Clock
  readonly #heap: Entry[] = []
  /** When the soonest timer calls back. */
  #armedFor = Number.POSITIVE_INFINITY
  #isStopped = false

  /** `clock` tells milliseconds since 1970. */
  constructor(clock: Clock = WALL_CLOCK) {
    this.#clock = clock
  }

  now(): number {
    return this.#clock.now()
  }

  get size(): number {
    return this.#heap.length
  }

  add(at: number, run: () => void): Entry {
    const entry: Entry = { at, run, index: this.#heap.length }
    this.#heap.push(entry)
    this.#rise(entry)
    this.#arm()
    return entry
  }

  /** Legal for an entry that is not in any more. */
  remove(entry: Entry): void {
    const { index } = entry
    if (this.#heap[index] !== entry) return
    const last = this.#heap.pop()
    entry.index = -1
    if (last === undefined || last === entry) return
    this.#place(last, index)
    this.#rise(last)
    this.#sink(last)
  }

  /** From now on nothing is done any more. */
  stop(): void {
    this.#isStopped = true
    this.#heap.length = 0
  }

  #arm(): void {
    const [first] = this.#heap
    if (first === undefined || this.#isStopped) return
    const at = Math.min(first.at, this.#clock.now() + LOOK_MS)
    if (at >= this.#armedFor) return
    this.#armedFor = at
    this.#clock.after(Math.max(0, Math.ceil(at - this.#clock.now())), () => this.#look(at))
  }

  #look(at: number): void {
    // A timer that an earlier one has overtaken does its look, and leaves the arming to that one.
    if (at === this.#armedFor) this.#armedFor = Number.POSITIVE_INFINITY
    const time = this.#clock.now()
    try {
      for (
        let [first] = this.#heap;
        first !== undefined && first.at <= time;
        [first] = this.#heap
      ) {
        this.remove(first)
        first.run()
      }
    } finally {
      this.#arm()
    }
  }

  #place(entry: Entry, index: number): void {
    entry.index = index
    this.#heap[index] = entry
  }

  #rise(entry: Entry): void {
    while (entry.index > 0) {
      const { index } = entry
      const parent = this.#heap[(index - 1) >> 1]
      if (parent === undefined || parent.at <= entry.at) return
      this.#place(entry, parent.index)
      this.#place(parent, index)
    }
  }

  #sink(entry: Entry): void {
    for (;;) {
      const { index } = entry
      const left = this.#heap[2 * index + 1]
      const right = this.#heap[2 * index + 2]
      const child = right !== undefined && left !== undefined && right.at < left.at ? right : left
      if (child === undefined || child.at >= entry.at) return
      this.#place(entry, child.index)
      this.#place(child, index)
    }
  }
}

/** One thing on the agenda; the fields are the agenda's. */
export interface Entry {
  readonly at: number
  readonly run: () => void
  index: number
}

const LOOK_MS = 30_000

const WALL_CLOCK: Clock = {
  now: () => Date.now(),
  after: (ms, callback) => void setTimeout(callback, ms).unref(),
}
