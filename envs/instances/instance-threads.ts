import type { FunctionSource } from "../threads/pool-thread.ts"
import { InstanceThread, type InstanceThreadParts } from "./instance-thread.ts"

/** The threads of the instances of an env process: one each, beside those of the pool. */
export class InstanceThreads {
  readonly #parts: InstanceThreadsParts
  readonly #threads = new Map<number, InstanceThread>()
  #starting = 0
  /** Those who wait to start a thread. */
  readonly #turns: (() => void)[] = []

  constructor(parts: InstanceThreadsParts) {
    this.#parts = parts
  }

  /** Starts a thread for an instance, and loads its class there. */
  async start(index: number, source: FunctionSource, timeoutMs: number): Promise<InstanceThread> {
    if (this.#starting >= STARTING_MAX) {
      await new Promise<void>((resolve) => this.#turns.push(resolve))
    } else {
      this.#starting++
    }
    try {
      const thread = new InstanceThread({ ...this.#parts, index, source })
      await thread.load(timeoutMs)
      this.#threads.set(index, thread)
      return thread
    } finally {
      const next = this.#turns.shift()
      if (next === undefined) this.#starting--
      else next()
    }
  }

  /** Legal for a call that has ended, or was never here. */
  cancel(id: number): void {
    for (const thread of this.#threads.values()) thread.cancel(id)
  }

  /** Ends the thread of the instance, if it has one. */
  end(index: number): void {
    this.#threads.get(index)?.end("it was released")
    this.#threads.delete(index)
  }
}

type InstanceThreadsParts = Omit<InstanceThreadParts, "index" | "source">

/** Starting many Workers at once is slow, and has crashed Bun (oven-sh/bun#41022). */
const STARTING_MAX = 4
