import { type Clock, Deadlines } from "../../protocol/deadlines.ts"
import { DAEMON_GENERATIONS, SlotTable } from "../../protocol/slots.ts"
import type { Call, Caller } from "./call.ts"
import { Drain } from "./drain.ts"

/** Every call from its admission on: by its id as long as anything of it is open, with its deadline as long as it has a caller. */
export class CallsInFlight {
  /** Calls that still have a caller. */
  readonly drain = new Drain()
  readonly #table = new SlotTable<Call>(DAEMON_GENERATIONS)
  readonly #deadlines: Deadlines<Call>

  constructor(due: (call: Call) => void, clock?: Clock) {
    this.#deadlines = new Deadlines(due, clock)
  }

  get size(): number {
    return this.#table.size
  }

  get isFull(): boolean {
    return this.#table.isFull
  }

  /** By the id that env processes know it under. */
  get(id: number): Call | undefined {
    return this.#table.get(id)
  }

  [Symbol.iterator](): Iterator<Call> {
    return this.#table[Symbol.iterator]()
  }

  /** The caller checks `isFull` first. */
  open(call: Call, timeoutMs: number): void {
    call.id = this.#table.open(call)
    this.drain.admitted()
    this.#deadlines.add(call, timeoutMs)
  }

  /** Takes the caller off, to be told (C1), and the call out of the deadlines. Undefined where that was done before. */
  settle(call: Call): Caller | undefined {
    const { caller } = call
    if (caller === undefined) return undefined
    call.caller = undefined
    this.#deadlines.remove(call)
    this.drain.settled()
    const { link, route } = call
    if (link !== undefined && --link.awaited === 0) route.env.finished(link)
    return caller
  }

  /** Nothing of the call is open any more. */
  close(call: Call): void {
    call.state = "closed"
    this.#table.close(call.id)
  }
}
