import { BunhouseError } from "../protocol/errors.ts"
import { Fields } from "../protocol/fields.ts"
import { paths } from "../protocol/http.ts"
import {
  CONTROL_TIMEOUT_MS,
  JOB_REQUESTS_MAX,
  JOB_WAIT_MS_MAX,
  JOBS_WAITED_MAX,
} from "../protocol/limits.ts"
import { now } from "../protocol/deadlines.ts"
import type { Control, SendOptions } from "./control.ts"
import { patiently } from "./patience.ts"

/**
 * Requests about many jobs at a time. All that waits for ends shares a few requests that wait, because connections are
 * few; and no more than JOB_REQUESTS_MAX others are open, so that the time of one does not run out while it queues.
 *
 * Invariants:
 * I1. Who waits hears of the end of his job, or of the failure of a request that asked for it.
 * I2. Nothing is asked for that nobody waits for.
 */
export class JobRequests {
  readonly #control: Control
  readonly #waiters = new Map<string, Set<Waiter>>()
  /** Ids that are waited for, and that no poll asks for yet. */
  readonly #unasked = new Set<string>()
  readonly #polls = new Set<Poll>()
  readonly #queue: (() => void)[] = []
  #open = 0
  #gathering: Timer | undefined

  constructor(control: Control) {
    this.#control = control
  }

  /** A request that may be made twice, in its turn. `onFailure` hears of each try that failed. */
  async send(
    method: "GET" | "POST",
    path: string,
    options: SendOptions,
    onFailure: (error: unknown) => void = () => {},
  ): Promise<Response> {
    if (this.#open < JOB_REQUESTS_MAX) this.#open++
    else await new Promise<void>((go) => this.#queue.push(go))
    try {
      return await patiently(this.#control, async () => {
        options.signal?.throwIfAborted()
        return await this.#control.exchange(method, path, options).catch((error: unknown) => {
          onFailure(error)
          throw error
        })
      })
    } finally {
      const next = this.#queue.shift()
      if (next === undefined) this.#open--
      else next()
    }
  }

  /**
   * Whether the job ended by `dueAt` (on the monotonic clock). One that nobody knows counts as ended.
   *
   * @throws the reason of `signal`, or what `patiently` throws.
   */
  async ended(id: string, dueAt: number, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<boolean>()
    const waiter: Waiter = { resolve, reject }
    const leave = () => reject(signal?.reason)
    const leftMs = Math.max(0, dueAt - now())
    const timer = leftMs <= TIMER_MS_MAX ? setTimeout(() => resolve(false), leftMs) : undefined
    signal?.addEventListener("abort", leave, { once: true })
    this.#add(id, waiter)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener("abort", leave)
      this.#remove(id, waiter)
    }
  }

  /** Who waits hears that this side has closed. */
  close(): void {
    const error = new BunhouseError("CANCELLED", "the connection was closed by this side")
    for (const { reject } of [...this.#waiters.values()].flatMap((set) => [...set])) reject(error)
  }

  #add(id: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(id)
    if (waiters !== undefined) return void waiters.add(waiter)
    this.#waiters.set(id, new Set([waiter]))
    this.#unasked.add(id)
    // The first one is asked for at once; what comes later is gathered, because it interrupts a poll.
    if (this.#gathering !== undefined) return
    this.#gathering = setTimeout(() => this.#gather(), this.#polls.size === 0 ? 0 : GATHER_MS)
  }

  /** I2. */
  #remove(id: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(id)
    waiters?.delete(waiter)
    if (waiters === undefined || waiters.size > 0) return
    this.#waiters.delete(id)
    this.#unasked.delete(id)
    for (const poll of this.#polls) {
      if (poll.ids.delete(id) && poll.ids.size === 0) poll.end.abort()
    }
  }

  /** Asks for all that is not asked for yet, together with a poll that has room. */
  #gather(): void {
    this.#gathering = undefined
    for (const poll of this.#polls) {
      if (poll.ids.size >= JOBS_WAITED_MAX || this.#unasked.size === 0) continue
      for (const id of poll.ids) this.#unasked.add(id)
      poll.ids.clear()
      poll.end.abort()
      break
    }
    while (this.#unasked.size > 0) {
      const ids = new Set([...this.#unasked].slice(0, JOBS_WAITED_MAX))
      for (const id of ids) this.#unasked.delete(id)
      void this.#poll({ ids, end: new AbortController() })
    }
  }

  /** Never rejects: who waits is told (I1). */
  async #poll(poll: Poll): Promise<void> {
    this.#polls.add(poll)
    const { ids, end } = poll
    try {
      while (ids.size > 0) {
        for (const id of await this.#ask(ids, end.signal)) {
          ids.delete(id)
          for (const { resolve } of this.#waiters.get(id) ?? []) resolve(true)
        }
      }
    } catch (error) {
      for (const id of ids) {
        for (const { reject } of this.#waiters.get(id) ?? []) reject(error)
      }
    }
    this.#polls.delete(poll)
  }

  async #ask(ids: ReadonlySet<string>, signal: AbortSignal): Promise<string[]> {
    const timeoutMs = JOB_WAIT_MS_MAX + CONTROL_TIMEOUT_MS
    return await patiently(this.#control, async () => {
      const body = JSON.stringify({ ids: [...ids], waitMs: JOB_WAIT_MS_MAX })
      const options = { timeoutMs, body, signal: within(timeoutMs, signal) }
      const answer: unknown = await (
        await this.#control.send("POST", paths.jobsEnded, options)
      ).json()
      return new Fields("the list of ended jobs", answer).list("ended").map(String)
    })
  }
}

/** A signal of a request takes the place of its time; this has both. */
export function within(timeoutMs: number, signal: AbortSignal | undefined): AbortSignal {
  const late = AbortSignal.timeout(timeoutMs)
  return signal === undefined ? late : AbortSignal.any([late, signal])
}

interface Waiter {
  readonly resolve: (hasEnded: boolean) => void
  readonly reject: (error: unknown) => void
}

/** One request that waits. */
interface Poll {
  readonly ids: Set<string>
  readonly end: AbortController
}

const GATHER_MS = 20
/** The engine takes a longer wait for one of a millisecond. */
const TIMER_MS_MAX = 0x7fff_ffff
