import { now } from "../../protocol/deadlines.ts"
import type { Channel } from "./channel.ts"

/**
 * When a thread wakes the pool for its answers. A wake costs both sides more than a short call does, and what the pool is
 * woken for leaves the process as one message: so there is one for many short calls, and none waits long for it.
 *
 * Invariants:
 * P1. Before the thread sleeps, the pool is woken for all that was answered.
 * P2. No answer waits longer than WAIT_MS and one more call, and not for a call that is known to be long. One that turns
 *     out to be long holds it until the pool looks by itself, at its next tick.
 */
export class Pace {
  readonly #channel: Pick<Channel, "wake">
  readonly #clock: () => number
  /** How long the last call of a function took, by its number. */
  readonly #lastMs = new Map<number, number>()
  /** When the last call ended, or the thread woke up. */
  #at = 0
  /** When the first answer was put that the pool was not woken for. */
  #since: number | undefined

  /** @param clock tells the time in milliseconds. */
  constructor(channel: Pick<Channel, "wake">, clock: () => number = now) {
    this.#channel = channel
    this.#clock = clock
  }

  /** The thread is awake, and about to look for calls. */
  awake(): void {
    this.#at = this.#clock()
  }

  /** The next call is one of the function `target`. */
  begins(target: number): void {
    if (this.#since !== undefined && (this.#lastMs.get(target) ?? 0) > WAIT_MS) this.wake()
  }

  /** A call was answered, and the answer put. */
  answered(target: number): void {
    const time = this.#clock()
    this.#lastMs.set(target, time - this.#at)
    this.#at = time
    this.#since ??= time
    if (time - this.#since > WAIT_MS) this.wake()
  }

  wake(): void {
    this.#since = undefined
    this.#channel.wake()
  }
}

const WAIT_MS = 0.2
