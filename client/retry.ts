import { setTimeout as sleep } from "node:timers/promises"
import { now } from "../protocol/deadlines.ts"
import { BunhouseError, type ErrorCode, toErrorRecord } from "../protocol/errors.ts"
import {
  RETRIES_MAX,
  RETRY_BASE_MS_DEFAULT,
  RETRY_BUDGET_MAX,
  RETRY_BUDGET_CALLS,
  RETRY_BUDGET_PER_SECOND,
  RETRY_WAIT_MS_MAX,
} from "../protocol/limits.ts"
import { checkKnown } from "./known-options.ts"
import type { Outcome } from "./outcome.ts"

/**
 * Whether and when a call is tried again.
 *
 * Invariants:
 * N1. A call is tried again only where it certainly did not run (`ran: "no"`), or where its idempotency key makes it safe,
 *     and that of each call whose result is an argument of it.
 * N2. All attempts together keep to the one deadline; what would end after it is not begun.
 * N3. All calls of a client share a budget, so that an outage is not multiplied: retries are at most RETRY_BUDGET_MAX at
 *     once, and beyond that a tenth of the calls.
 * N4. Once an attempt may have run, no error of a later one says that the call did not.
 */
export interface RetryOptions {
  /** Attempts beyond the first, 0 to 20. */
  readonly max: number
  /**
   * Milliseconds. The wait before a retry is drawn from 0 to `baseMs`, doubled for each further one up to 20 s (full
   * jitter), beyond what the error asks for (`retryAfterMs`). Default 100.
   */
  readonly baseMs?: number
}

export interface RetryPolicy {
  readonly max: number
  readonly baseMs: number
}

/** Throws INVALID_ARGUMENT. Undefined for no retries. */
export function readRetries(options: RetryOptions | undefined): RetryPolicy | undefined {
  if (options === undefined) return undefined
  checkKnown("retries", options, { max: true, baseMs: true })
  const { max, baseMs = RETRY_BASE_MS_DEFAULT } = options
  if (!Number.isInteger(max) || max < 0 || max > RETRIES_MAX) {
    throw refusal(`retries.max to be a whole number from 0 to ${RETRIES_MAX}`, max)
  }
  if (!Number.isFinite(baseMs) || baseMs < 0 || baseMs > RETRY_WAIT_MS_MAX) {
    throw refusal(`retries.baseMs to be from 0 to ${RETRY_WAIT_MS_MAX}`, baseMs)
  }
  return max === 0 ? undefined : { max, baseMs }
}

/** A bucket of tokens, one for a retry; filled by calls and by time. */
export class RetryBudget {
  readonly #now: () => number
  #tokens = RETRY_BUDGET_MAX
  #filledAt: number

  constructor(clock: () => number = now) {
    this.#now = clock
    this.#filledAt = clock()
  }

  /** A call was made. */
  earn(): void {
    this.#fill(1 / RETRY_BUDGET_CALLS)
  }

  /** Whether a retry may be made; it then counts as made. */
  spend(): boolean {
    const time = this.#now()
    this.#fill(((time - this.#filledAt) / 1_000) * RETRY_BUDGET_PER_SECOND)
    this.#filledAt = time
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }

  #fill(tokens: number): void {
    this.#tokens = Math.min(RETRY_BUDGET_MAX, this.#tokens + tokens)
  }
}

/** The attempts of one call, awaited or blocking. */
export class Attempts {
  readonly #parts: AttemptsParts
  readonly #dueAt: number
  #retries = 0
  #lostBoot: string | undefined = undefined
  /** The last attempt was lost with the connection, and it is known which daemon to ask about it. */
  #canBeAsked = false
  #mayHaveRun = false

  constructor(parts: AttemptsParts) {
    this.#parts = parts
    const { timeoutMs } = parts
    this.#dueAt = timeoutMs === 0 ? Number.POSITIVE_INFINITY : parts.now() + timeoutMs
    parts.budget.earn()
  }

  /** Life of the daemon in which an attempt was lost: only that one knows whether it ran. */
  get lostBoot(): string | undefined {
    return this.#lostBoot
  }

  /** An attempt failed while the client spoke to the daemon of `bootId`. */
  lost({ code }: BunhouseError, bootId: string): void {
    if (code !== "DAEMON_LOST" || bootId === "") return
    this.#lostBoot ??= bootId
    this.#canBeAsked = true
  }

  /** For the next attempt; 0 for no deadline. */
  get timeoutMs(): number {
    if (this.#dueAt === Number.POSITIVE_INFINITY) return 0
    return Math.max(1, Math.ceil(this.#dueAt - this.#parts.now()))
  }

  /** How long to wait before the next attempt; undefined where there is none, and `endOf(error)` is the end. */
  waitAfter(error: unknown): number | undefined {
    if (!(error instanceof BunhouseError) || wasThrown(error)) return undefined
    const isSafe = this.#isSafe(error) // N1
    this.#canBeAsked = false
    if (error.ran !== "no") this.#mayHaveRun = true
    const { policy, budget } = this.#parts
    if (!isSafe || this.#retries >= policy.max) return undefined
    const { retryAfterMs = 0 } = error
    if (retryAfterMs > RETRY_WAIT_MS_MAX) return undefined
    const highest = Math.min(RETRY_WAIT_MS_MAX, policy.baseMs * 2 ** this.#retries)
    const waitMs = retryAfterMs + this.#parts.random() * highest
    if (this.#parts.now() + waitMs >= this.#dueAt) return undefined // N2
    if (!budget.spend()) return undefined // N3
    this.#retries++
    return waitMs
  }

  /** N4. */
  endOf(error: unknown): unknown {
    if (!this.#mayHaveRun || !(error instanceof BunhouseError)) return error
    if (error.ran !== "no" || wasThrown(error)) return error
    const { code, message, cause } = error
    return new BunhouseError(code, `${message} (an earlier attempt may have run)`, {
      ...toErrorRecord(error),
      ran: "maybe",
      cause,
    })
  }

  #isSafe({ code, ran }: BunhouseError): boolean {
    if (!RETRIED.has(code)) return false
    if (ran === "no") return true
    // What a daemon itself says about this (another life of it had the call) is final.
    return this.#parts.hasKey && (code !== "DAEMON_LOST" || this.#canBeAsked)
  }
}

export interface AttemptsParts {
  readonly policy: RetryPolicy
  readonly budget: RetryBudget
  /** Of the call as a whole; 0 for none. */
  readonly timeoutMs: number
  readonly hasKey: boolean
  /** Monotonic, ms. */
  readonly now: () => number
  /** From 0 to 1. */
  readonly random: () => number
}

/** Makes the attempts of an awaitable call. A signal that fires between two of them ends the next one at once. */
export async function retried<T>(
  attempts: Attempts,
  attempt: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      const waitMs = attempts.waitAfter(error)
      if (waitMs === undefined) throw attempts.endOf(error)
      await sleep(waitMs, undefined, signal === undefined ? {} : { signal }).catch(() => {})
    }
  }
}

/** The same for a blocking call: the waits block, too. */
export function retriedBlocking(attempts: Attempts, attempt: () => Outcome): Outcome {
  for (;;) {
    const outcome = attempt()
    if (outcome.kind === "returned") return outcome
    const waitMs = attempts.waitAfter(outcome.thrown)
    if (waitMs === undefined) return { ...outcome, thrown: attempts.endOf(outcome.thrown) }
    Bun.sleepSync(waitMs)
  }
}

/** By the function itself, which may have made calls of its own: it ran. */
function wasThrown(error: BunhouseError): boolean {
  return "remote" in error
}

/** What may be better a moment later. */
const RETRIED: ReadonlySet<ErrorCode> = new Set([
  "OVERLOADED",
  "UNAVAILABLE",
  "NO_DAEMON",
  "WORKER_LOST",
  "BROKER_LOST",
  "DAEMON_LOST",
])

function refusal(expected: string, given: unknown): BunhouseError {
  return new BunhouseError("INVALID_ARGUMENT", `expected ${expected}, got ${String(given)}`)
}
