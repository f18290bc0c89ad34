import { now } from "../protocol/deadlines.ts"
import { BunhouseError } from "../protocol/errors.ts"
import { type CallExtra, checkIdempotencyKey } from "../protocol/extra.ts"
import type { FunctionInfo } from "../protocol/function-spec.ts"
import { checkMayBlock } from "./blocking/may-block.ts"
import { type CallSettings, settingsOf } from "./call-settings.ts"
import { areKeyed, type EncodedCall, encodeCall } from "./later.ts"
import type { Link } from "./link.ts"
import { tellLines } from "./logs.ts"
import { type Items, mapCalls, type MapOptions, type MapRun } from "./map.ts"
import { nested } from "./nesting.ts"
import { warn } from "./notices.ts"
import { type Outcome, readOutcome } from "./outcome.ts"
import type { RemoteParts } from "./remote.ts"
import type { AnyFunction } from "./code/kind.ts"
import { callWithStreams } from "./stream.ts"
import { cannotStream, checkOnce, hasStreams, StreamedArguments } from "./streamed-arguments.ts"
import { Attempts, readRetries, retried, retriedBlocking, type RetryPolicy } from "./retry.ts"

/** How the calls of one remote function are made, with one set of options. Values in and out are untyped here. */
export class RemoteCall {
  readonly #link: Link
  readonly #info: FunctionInfo
  readonly #settings: CallSettings
  readonly #retries: RetryPolicy | undefined
  readonly #key: string | undefined
  readonly #kind: "awaited" | "ending"
  #hasWarned = false

  constructor({ link, info, options, isEnding }: RemoteParts<AnyFunction>) {
    this.#kind = isEnding ? "ending" : "awaited"
    this.#link = link
    this.#info = info
    this.#settings = settingsOf({ link, info, options })
    this.#retries = readRetries(options.retries)
    this.#key = options.idempotencyKey
    if (this.#key !== undefined) checkIdempotencyKey(this.#key)
  }

  map(items: Items<unknown>, options: MapOptions): MapRun<unknown> {
    if (this.#key !== undefined) {
      const message = "expected a map without an idempotencyKey: its calls are different ones"
      throw new BunhouseError("INVALID_ARGUMENT", message)
    }
    const one = (args: readonly unknown[], signal: AbortSignal) => this.awaitable(args, signal)
    return mapCalls(one, items, options, this.#settings.signal)
  }

  awaitable(args: readonly unknown[], signal = this.#settings.signal): Promise<unknown> {
    if (hasStreams(args)) return this.#withStreams(args, signal)
    const attempts = this.#attempts(args)
    try {
      const encoded = encodeCall(args, this.#link, this.#settings.names)
      if (attempts === undefined) return this.#attempt(encoded, signal, undefined)
      return retried(attempts, () => this.#attempt(encoded, signal, attempts), signal)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** What was read from a stream cannot be read again for another attempt. */
  async #withStreams(list: readonly unknown[], signal: AbortSignal | undefined): Promise<unknown> {
    checkOnce(this.#settings.names, { retries: this.#retries, idempotencyKey: this.#key })
    return callWithStreams({
      ...this.#settings,
      connection: this.#link.connection,
      args: new StreamedArguments(list, this.#info, this.#link),
      signal,
    })
  }

  #attempts(args: readonly unknown[]): Attempts | undefined {
    if (this.#retries === undefined) return undefined
    return new Attempts({
      policy: this.#retries,
      budget: this.#link.retryBudget,
      timeoutMs: this.#settings.timeoutMs,
      hasKey: this.#key !== undefined && areKeyed(args),
      now,
      random: Math.random,
    })
  }

  #extra(attempts: Attempts | undefined): CallExtra | undefined {
    if (this.#key === undefined) return undefined
    const boot = attempts?.lostBoot
    return { key: this.#key, ...(boot !== undefined && { boot }) }
  }

  #attempt(
    { payload, flags }: EncodedCall,
    signal: AbortSignal | undefined,
    attempts: Attempts | undefined,
  ): Promise<unknown> {
    const { connection } = this.#link
    const onLog = this.#settings.onLog
    const timeoutMs = attempts?.timeoutMs ?? this.#settings.timeoutMs
    const inherited = nested({ timeoutMs, signal }, this.#extra(attempts), this.#kind)
    return new Promise((resolve, reject) => {
      connection.call({
        env: this.#info.env,
        function: this.#info.name,
        payload,
        flags,
        timeoutMs: inherited.timeoutMs,
        signal: inherited.signal,
        extra: inherited.extra,
        around: inherited.around,
        logged: onLog && ((frame, bootId) => tellLines(onLog, this.#settings.names, frame, bootId)),
        replied: (frame, callId) => {
          const outcome = readOutcome(frame, this.#settings.names, callId)
          if (outcome.kind === "returned") resolve(outcome.value)
          else reject(outcome.thrown)
        },
        failed: (error) => {
          attempts?.lost(error, connection.bootId)
          reject(error)
        },
      })
    })
  }

  blockingValue(args: readonly unknown[]): unknown {
    return unwrap(this.#blocking(args))
  }

  #blocking(args: readonly unknown[]): Outcome {
    checkMayBlock(this.#settings.names, this.#settings.signal)
    if (hasStreams(args)) throw cannotStream(this.#settings.names)
    const attempts = this.#attempts(args)
    const { payload, flags } = encodeCall(args, this.#link, this.#settings.names)
    const [names, onLog] = [this.#settings.names, this.#settings.onLog]
    const attempt = () => {
      const call = { timeoutMs: attempts?.timeoutMs ?? this.#settings.timeoutMs, signal: undefined }
      const { timeoutMs, extra, around } = nested(call, this.#extra(attempts), "blocking")
      const wantsLogs = onLog !== undefined
      this.#link.connection.flush()
      return this.#link.blocking.call(
        { names, payload, flags, extra, around, timeoutMs, wantsLogs },
        (frame, bootId) => onLog && tellLines(onLog, names, frame, bootId),
      )
    }
    return attempts === undefined ? attempt() : retriedBlocking(attempts, attempt)
  }

  /**
   * The default call of a sync function: a value, or the promise that its type declares. `method` is what was called,
   * where that is not the function itself.
   */
  asDeclared(args: readonly unknown[], method?: string): unknown {
    const outcome = this.#blocking(args)
    if (!outcome.wasPromise) return unwrap(outcome)
    this.#warnAboutPromise(method)
    return outcome.kind === "returned"
      ? Promise.resolve(outcome.value)
      : Promise.reject(outcome.thrown)
  }

  #warnAboutPromise(method: string | undefined): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    const what = method === undefined ? "function" : "method"
    const mend = method === undefined ? `, or send it with fn(f, { kind: "async" })` : ""
    warn(
      `${method ?? this.#info.name} is a sync ${what} that returns a promise, so calling it blocks until the promise is settled; ` +
        `declare it \`async\`${mend}`,
    )
  }
}

function unwrap(outcome: Outcome): unknown {
  if (outcome.kind === "returned") return outcome.value
  throw outcome.thrown
}
