import { BunhouseError } from "../protocol/errors.ts"
import { MAP_WINDOW } from "../protocol/limits.ts"
import type { Items, MapProgress } from "./map.ts"

/**
 * One run of a map: takes items from the source, makes calls, hands out results in order.
 *
 * Invariants:
 * I1. At most `concurrency` calls are in flight, and at most `concurrency * MAP_WINDOW` items are past the source and
 *     not yet with the consumer, so memory is bounded however many items there are and whoever is slow.
 * I2. The source is asked for one item at a time, not before the first result is asked for, and not after the end.
 * I3. When the run is over (its end, an error, `break`), nothing of it is in flight, and the source was told.
 */
export class MapRunner {
  readonly #parts: RunParts
  readonly #stop = new AbortController()
  /** By number of the item; those that wait for an earlier one, or for the consumer. */
  readonly #results = new Map<number, unknown>()
  #source: Source | undefined
  #isPulling = false
  #isExhausted = false
  #isEnded = false
  #started = 0
  #taken = 0
  #inFlight = 0
  #done = 0
  #failed = 0
  #failure: { readonly error: unknown } | undefined
  /** Tells the consumer that there is something new. */
  #wake: () => void = () => {}

  constructor(parts: RunParts) {
    this.#parts = parts
  }

  async *results(): AsyncGenerator<unknown, void, undefined> {
    const { items, signal } = this.#parts
    const onAbort = () => this.#fail(cancelled(signal?.reason))
    try {
      if (signal?.aborted) throw cancelled(signal.reason)
      signal?.addEventListener("abort", onAbort, { once: true })
      this.#source = sourceOf(items)
      this.#feed()
      for (;;) {
        const number = this.#taken
        if (this.#results.has(number)) {
          const result = this.#results.get(number)
          this.#results.delete(number)
          this.#taken++
          this.#feed()
          yield result
        } else if (this.#failure !== undefined) throw this.#failure.error
        else if (this.#isExhausted && number === this.#started) return
        else await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    } finally {
      signal?.removeEventListener("abort", onAbort)
      await this.#end()
    }
  }

  /** Starts calls as long as there is room (I1). */
  #feed(): void {
    try {
      while (this.#hasRoom && this.#source !== undefined) {
        const step = this.#source.next()
        if ("then" in step) return this.#await(step)
        this.#take(step)
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  get #hasRoom(): boolean {
    const { concurrency } = this.#parts
    if (this.#isPulling || this.#isExhausted || this.#isEnded) return false
    const waiting = this.#started - this.#taken
    return this.#inFlight < concurrency && waiting < concurrency * MAP_WINDOW
  }

  #await(step: PromiseLike<IteratorResult<unknown>>): void {
    this.#isPulling = true // I2
    step.then(
      (result) => this.#pulled(result),
      (error: unknown) => this.#fail(error),
    )
  }

  #pulled(result: IteratorResult<unknown>): void {
    this.#isPulling = false
    if (this.#isEnded) return
    this.#take(result)
    this.#feed()
  }

  #take({ done = false, value }: IteratorResult<unknown>): void {
    if (done) {
      this.#isExhausted = true
      this.#wake()
      return
    }
    const number = this.#started++
    this.#inFlight++
    void this.#begin(value).then(
      (result) => this.#ended(number, { status: "fulfilled", value: result }),
      (reason: unknown) => this.#ended(number, { status: "rejected", reason }),
    )
  }

  /** As an item's own failure also what is wrong with the item. */
  async #begin(item: unknown): Promise<unknown> {
    return this.#parts.call(item, this.#stop.signal)
  }

  #ended(number: number, outcome: PromiseSettledResult<unknown>): void {
    this.#inFlight--
    if (this.#isEnded) return
    this.#done++
    if (outcome.status === "rejected") this.#failed++
    if (this.#parts.isSettled) this.#results.set(number, outcome)
    else if (outcome.status === "fulfilled") this.#results.set(number, outcome.value)
    else return this.#fail(outcome.reason)
    this.#report()
    this.#feed()
    this.#wake()
  }

  #report(): void {
    try {
      this.#tell(false)
    } catch (error) {
      this.#fail(error)
    }
  }

  #tell(ended: boolean): void {
    const { onProgress, items } = this.#parts
    onProgress({ done: this.#done, failed: this.#failed, total: countOf(items), ended })
  }

  /** Results that are complete up to here are handed out first. */
  #fail(error: unknown): void {
    if (this.#isEnded) return
    this.#failure = { error }
    this.#isEnded = true
    this.#stop.abort(new DOMException("another call of the same map failed", "AbortError"))
    this.#wake()
  }

  /** I3. A source that is still thinking about its next item cannot be waited for. */
  async #end(): Promise<void> {
    this.#isEnded = true
    this.#stop.abort(
      new DOMException("the results of the map are not wanted any more", "AbortError"),
    )
    this.#results.clear()
    try {
      if (!this.#isExhausted) await this.#tellSource()
    } finally {
      this.#tell(true)
    }
  }

  async #tellSource(): Promise<void> {
    const told = Promise.resolve(this.#source?.return?.())
    if (this.#isPulling) void told.catch(() => {})
    else await told
  }
}

interface RunParts {
  readonly call: (item: unknown, signal: AbortSignal) => Promise<unknown>
  readonly items: Items<unknown>
  readonly concurrency: number
  readonly isSettled: boolean
  readonly onProgress: (progress: MapProgress) => void
  /** The caller's own. */
  readonly signal: AbortSignal | undefined
}

type Source = Iterator<unknown> | AsyncIterator<unknown>

function sourceOf(items: Items<unknown>): Source {
  if (typeof items === "object" || typeof items === "string") {
    if (typeof items === "object" && Symbol.asyncIterator in items) {
      return items[Symbol.asyncIterator]()
    }
    if (typeof items === "string" || Symbol.iterator in items) return items[Symbol.iterator]()
  }
  const got = Bun.inspect(items, { depth: 0 }).slice(0, 60)
  throw new BunhouseError("INVALID_ARGUMENT", `expected the items to be iterable, got ${got}`)
}

function countOf(items: Items<unknown>): number | undefined {
  if (Array.isArray(items)) return items.length
  return items instanceof Set || items instanceof Map ? items.size : undefined
}

function cancelled(reason: unknown): BunhouseError {
  return new BunhouseError("CANCELLED", "the map was cancelled by its caller", { cause: reason })
}
