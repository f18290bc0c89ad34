import { encodeArgs } from "../protocol/codec/index.ts"
import { checkTimeoutMs } from "../protocol/deadlines.ts"
import { BunhouseError } from "../protocol/errors.ts"
import type { FunctionInfo } from "../protocol/function-spec.ts"
import { whereAmI } from "./context.ts"
import type { Link } from "./link.ts"
import { type Items, mapCalls, type MapMethod, type MapOptions, type MapRun } from "./map.ts"
import { type Names, type Outcome, readOutcome } from "./outcome.ts"
import { warn } from "./notices.ts"

/** Any function; what it takes and returns is kept by `Remote<F>`. */
// oxlint-disable-next-line typescript/no-explicit-any -- the one type that every function is assignable to
export type AnyFunction = (...args: any[]) => unknown

export interface CallOptions {
  /**
   * Milliseconds from the moment of the call until it fails with DEADLINE_EXCEEDED. 0 means no deadline.
   * Default 300,000 (five minutes).
   */
  readonly timeoutMs?: number
  /** Cancels the call. A blocking call looks at it once, before it starts. */
  readonly signal?: AbortSignal
}

/**
 * A function that runs somewhere else, of the same type as `F`. An async function is awaited, a sync function blocks, as
 * they would locally; `async` and `sync` choose the other way of waiting.
 */
export type Remote<F extends AnyFunction> = F & RemoteMethods<F>

export interface RemoteMethods<F extends AnyFunction> {
  /**
   * Calls without blocking the caller, whatever kind the function is. Overloads are kept, up to four.
   *
   * @throws what the function throws, or BunhouseError for a failure of the platform, with `ran`.
   */
  readonly async: Awaitable<F>
  /**
   * Calls and blocks the caller until the function has returned. Overloads are kept, up to four.
   *
   * @throws as `async`; DEADLOCK inside of an env's own event loop, which must not be blocked.
   */
  readonly sync: Blocking<F>
  /** Calls the function for every item of a list, many at a time; results in the order of the items. */
  readonly map: MapMethod<F>
  /** The same function with other options for its calls. */
  with(options: CallOptions): Remote<F>
  /** The function itself, here. Undefined when only its name is known (`here.get`). */
  readonly local: F | undefined
  /** What the daemon said about the function when it was sent or looked up. */
  readonly info: FunctionInfo
}

/** `F` itself where it returns promises anyway, so that its type parameters are kept. */
type Awaitable<F extends AnyFunction> =
  IsPromise<Signatures<F>[number][1]> extends true ? F : EachAwaitable<Signatures<F>>

/** `F` itself where it never returns a promise. */
type Blocking<F extends AnyFunction> = [
  Extract<Signatures<F>[number][1], PromiseLike<unknown>>,
] extends [never]
  ? F
  : EachBlocking<Signatures<F>>

/** Parameters and result of four overloads; where there are fewer, the first one is repeated. */
type Signatures<F extends AnyFunction> = F extends {
  (...args: infer A1): infer R1
  (...args: infer A2): infer R2
  (...args: infer A3): infer R3
  (...args: infer A4): infer R4
}
  ? [[A1, R1], [A2, R2], [A3, R3], [A4, R4]]
  : never

type EachAwaitable<S extends Overloads> = AsAwaitable<S[0]> &
  AsAwaitable<S[1]> &
  AsAwaitable<S[2]> &
  AsAwaitable<S[3]>
type EachBlocking<S extends Overloads> = AsBlocking<S[0]> &
  AsBlocking<S[1]> &
  AsBlocking<S[2]> &
  AsBlocking<S[3]>

type AsAwaitable<S extends Signature> = (...args: S[0]) => Promise<Awaited<S[1]>>
type AsBlocking<S extends Signature> = (...args: S[0]) => Awaited<S[1]>

type Signature = [args: unknown[], result: unknown]
type Overloads = [Signature, Signature, Signature, Signature]

/** Neither `any` nor `never` is one, though both can be assigned to it. */
type IsPromise<R> = unknown extends R
  ? false
  : [R] extends [never]
    ? false
    : [R] extends [Promise<unknown>]
      ? true
      : false

/** Makes the handle for a function that the daemon has. */
export function makeRemote<F extends AnyFunction>(parts: RemoteParts<F>): Remote<F> {
  const { info, local } = parts
  const call = new RemoteCall(parts)
  const byDefault =
    info.kind === "async"
      ? (...args: unknown[]) => call.awaitable(args)
      : (...args: unknown[]) => call.asDeclared(args)
  const methods = {
    async: (...args: unknown[]) => call.awaitable(args),
    sync: (...args: unknown[]) => unwrap(call.blocking(args)),
    map: (items: Items<unknown>, options: MapOptions = {}) => call.map(items, options),
    with: (options: CallOptions) => {
      return makeRemote({ ...parts, options: { ...parts.options, ...options } })
    },
    local,
    info,
  }
  Object.defineProperty(byDefault, "name", { value: info.name, configurable: true })
  // The one place where the types of the outside meet the untyped inside.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.assign(byDefault, methods) as unknown as Remote<F>
}

export interface RemoteParts<F extends AnyFunction> {
  readonly link: Link
  readonly info: FunctionInfo
  readonly local: F | undefined
  readonly options: CallOptions
}

class RemoteCall {
  readonly #link: Link
  readonly #info: FunctionInfo
  readonly #names: Names
  readonly #timeoutMs: number
  readonly #signal: AbortSignal | undefined
  #hasWarned = false

  constructor({ link, info, options }: RemoteParts<AnyFunction>) {
    this.#link = link
    this.#info = info
    this.#names = { env: info.env, function: info.name }
    this.#timeoutMs = checkTimeoutMs(options.timeoutMs)
    this.#signal = options.signal
  }

  map(items: Items<unknown>, options: MapOptions): MapRun<unknown> {
    const one = (args: readonly unknown[], signal: AbortSignal) => this.awaitable(args, signal)
    return mapCalls(one, items, options, this.#signal)
  }

  awaitable(args: readonly unknown[], signal = this.#signal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#link.connection.call({
        env: this.#info.env,
        function: this.#info.name,
        payload: encodeArgs(args),
        timeoutMs: this.#timeoutMs,
        signal,
        replied: (frame, callId) => {
          const outcome = readOutcome(frame, this.#names, callId)
          if (outcome.kind === "returned") resolve(outcome.value)
          else reject(outcome.thrown)
        },
        failed: reject,
      })
    })
  }

  blocking(args: readonly unknown[]): Outcome {
    const { env, name } = this.#info
    if (whereAmI() === "env loop") {
      throw new BunhouseError(
        "DEADLOCK",
        `a blocking call of ${env}/${name} inside of an env's event loop would stop that env: use .async(…) and await it`,
        { env, function: name },
      )
    }
    if (this.#signal?.aborted) {
      const message = `${env}/${name}: the call was cancelled by its caller`
      const reason: unknown = this.#signal.reason
      throw new BunhouseError("CANCELLED", message, {
        ran: "no",
        env,
        function: name,
        cause: reason,
      })
    }
    return this.#link.blocking.call(this.#names, encodeArgs(args), this.#timeoutMs)
  }

  /** The default call of a sync function: a value, or the promise that its type declares. */
  asDeclared(args: readonly unknown[]): unknown {
    const outcome = this.blocking(args)
    if (!outcome.wasPromise) return unwrap(outcome)
    this.#warnAboutPromise()
    return outcome.kind === "returned"
      ? Promise.resolve(outcome.value)
      : Promise.reject(outcome.thrown)
  }

  #warnAboutPromise(): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    warn(
      `${this.#info.name} is a sync function that returns a promise, so calling it blocks until the promise is settled; ` +
        `declare it \`async\`, or send it with fn(f, { kind: "async" })`,
    )
  }
}

function unwrap(outcome: Outcome): unknown {
  if (outcome.kind === "returned") return outcome.value
  throw outcome.thrown
}
