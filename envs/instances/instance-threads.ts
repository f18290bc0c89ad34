import type { CallFacts } from "../call-context.ts"
import type { ResultSink } from "../run-call.ts"
import type { ForcedEnds } from "../threads/forced-ends.ts"
import type { FunctionSource } from "../threads/pool-thread.ts"
import { InstanceThread } from "./instance-thread.ts"

/** The threads of the instances of an env process: one each, beside those of the pool. */
export class InstanceThreads {
  readonly #facts: CallFacts
  readonly #sink: ResultSink
  readonly #forced: ForcedEnds
  readonly #threads = new Map<number, InstanceThread>()
  #starting = 0
  /** Those who wait to start a thread. */
  readonly #turns: (() => void)[] = []

  constructor(facts: CallFacts, sink: ResultSink, forced: ForcedEnds) {
    this.#facts = facts
    this.#sink = sink
    this.#forced = forced
  }

  /** Starts a thread for an instance, and loads its class there. */
  async start(index: number, source: FunctionSource, timeoutMs: number): Promise<InstanceThread> {
    if (this.#starting >= STARTING_MAX) {
      await new Promise<void>((resolve) => this.#turns.push(resolve))
    } else {
      this.#starting++
    }
    try {
      const thread = new InstanceThread({
        facts: this.#facts,
        forced: this.#forced,
        sink: this.#sink,
        index,
        source,
      })
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

/** Starting many Workers at once is slow, and has crashed Bun (oven-sh/bun#41022). */
const STARTING_MAX = 4
