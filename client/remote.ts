import type { FunctionInfo } from "../protocol/function-spec.ts"
import { isGeneratorKind } from "../protocol/members.ts"
import type { AnyFunction } from "./code/kind.ts"
import { GeneratorCalls } from "./generator-calls.ts"
import type { AsAsyncGenerator, AsGenerator, IsGenerator } from "./generator-types.ts"
import type { JobOptions } from "../protocol/job.ts"
import { type Job, startJob } from "./job.ts"
import type { Link } from "./link.ts"
import { standInFor } from "./later.ts"
import type { LogLine } from "./logs.ts"
import type { Items, MapMethod, MapOptions } from "./map.ts"
import { RemoteCall } from "./remote-call.ts"
import type { RetryOptions } from "./retry.ts"

/** A function of which no more than its name is known (`here.get("env/f")` without a type): it can be called with anything. */
export type UntypedFunction = (...args: unknown[]) => unknown

export interface CallOptions {
  /**
   * Milliseconds from the moment of the call until it fails with DEADLINE_EXCEEDED. 0 means no deadline. The deadline of a
   * stream covers all of it, from the first item that is asked for. Default 300,000 (five minutes).
   */
  readonly timeoutMs?: number
  /** Cancels the call. A blocking call looks at it once, before it starts. It has no effect on jobs. */
  readonly signal?: AbortSignal
  /**
   * Tries again what certainly did not run, and what may have run where there is an `idempotencyKey`. Default: none.
   * The deadline is that of all attempts together. Not for streams.
   */
  readonly retries?: RetryOptions
  /**
   * Calls of this function with the same key run once, within 15 minutes: who calls while the first one runs joins it,
   * who calls later is told its outcome. With other arguments it is refused (IDEMPOTENCY_CONFLICT). 1 to 256 bytes. Not
   * for streams.
   */
  readonly idempotencyKey?: string
  /**
   * Is told each line that the function prints during the call, about 20 ms later; blocking calls tell all in the end,
   * blocking iteration tells none. Default: that of `connect`, else lines are printed to the stream of the same name,
   * unless `BUNHOUSE_QUIET=1`.
   */
  readonly onLog?: (line: LogLine) => void
  /** Of calls of generator functions. */
  readonly stream?: StreamOptions
  /** For `start` only: how the job is run. */
  readonly job?: JobOptions
}

export interface StreamOptions {
  /**
   * Items that may be on the way or wait here before the generator pauses, from 1 to 1,048,576. Default 16,384. Beside
   * it, items of 4 MiB together pause it as well.
   */
  readonly window?: number
}

/**
 * A function that runs somewhere else, of the same type as `F`. An async function is awaited, a sync function blocks, as
 * they would locally; `async` and `sync` choose the other way of waiting.
 */
export type Remote<F extends AnyFunction> = F & RemoteMethods<F>

export interface RemoteMethods<F extends AnyFunction> {
  /**
   * Calls without blocking the caller, whatever kind the function is: a promise, or an AsyncGenerator of what a generator
   * yields. Overloads are kept, up to four. Arguments that are AsyncIterables or ReadableStreams arrive as async generators.
   *
   * @throws what the function throws, or BunhouseError for a failure of the platform, with `ran`.
   */
  readonly async: Awaitable<F>
  /**
   * Calls and blocks the caller until the function has returned; of a generator function, each step blocks. Overloads are
   * kept, up to four.
   *
   * @throws as `async`; DEADLOCK inside of an env's own event loop, which must not be blocked.
   */
  readonly sync: Blocking<F>
  /** Calls the function for every item of a list, many at a time; results in the order of the items. */
  readonly map: MapMethod<F>
  /**
   * Starts a job: a call that goes on without its caller, and whose result is fetched later, by any process. Resolves
   * once the daemon has the job in its store. Its deadline is `timeoutMs` for each attempt; default none.
   *
   * @throws {BunhouseError} as `async` where the job was not accepted. OVERLOADED when too many jobs are kept.
   */
  start(...args: Parameters<F>): Promise<Job<Awaited<ReturnType<F>>>>
  /**
   * Stands for the result of a call, as an argument of another remote function: `await g(f.later(x))` is what
   * `await g(await f(x))` is, but the result goes from f's env to g's without passing through here. The call is made when
   * `g` is called, once, however often the stand-in stands among g's arguments. `g` does not run when it fails, and
   * fails alike. Not for generators, nor for jobs; what it returns has no other use. Deadline and idempotency key
   * of `with` go along; lines that it prints are in its env's log.
   *
   * @throws {BunhouseError} INVALID_ARGUMENT for a generator, a `signal` or `retries`, and where the stand-in is used.
   */
  later(...args: Parameters<F>): Awaited<ReturnType<F>>
  /** The same function with other options for its calls. */
  with(options: CallOptions): Remote<F>
  /** The function itself, here. Undefined when only its name is known (`here.get`, an export of a `RemoteModule`). */
  readonly local: F | undefined
  /** What the daemon said about the function when it was sent or looked up. */
  readonly info: FunctionInfo
}

/** `F` itself where it returns promises or async generators anyway, so that its type parameters are kept. */
export type Awaitable<F extends AnyFunction> =
  IsAwaited<Signatures<F>[number][1]> extends true ? F : EachAwaitable<Signatures<F>>

/** `F` itself where it never returns what is awaited. */
export type Blocking<F extends AnyFunction> = [
  Extract<Signatures<F>[number][1], PromiseLike<unknown> | AsyncIterable<unknown>>,
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

type AsAwaitable<S extends Signature> = (
  ...args: S[0]
) => IsGenerator<S[1]> extends true ? AsAsyncGenerator<S[1]> : Promise<Awaited<S[1]>>
type AsBlocking<S extends Signature> = (
  ...args: S[0]
) => IsGenerator<S[1]> extends true ? AsGenerator<S[1]> : Awaited<S[1]>

type Signature = [args: unknown[], result: unknown]
type Overloads = [Signature, Signature, Signature, Signature]

/** Neither `any` nor `never` is one, though both can be assigned to it. */
type IsAwaited<R> = unknown extends R
  ? false
  : [R] extends [never]
    ? false
    : [R] extends [Promise<unknown>]
      ? true
      : [R] extends [AsyncGenerator<unknown, unknown, never>]
        ? true
        : false

/** Makes the handle for a function that the daemon has. */
export function makeRemote<F extends AnyFunction>(parts: RemoteParts<F>): Remote<F> {
  const { info, local } = parts
  const call = isGeneratorKind(info.kind) ? new GeneratorCalls(parts) : new RemoteCall(parts)
  const isAwaited = info.kind === "async" || info.kind === "asyncGenerator"
  const byDefault = isAwaited
    ? (...args: unknown[]) => call.awaitable(args)
    : (...args: unknown[]) => call.asDeclared(args)
  const methods = {
    async: (...args: unknown[]) => call.awaitable(args),
    sync: (...args: unknown[]) => call.blockingValue(args),
    map: (items: Items<unknown>, options: MapOptions = {}) => call.map(items, options),
    start: (...args: unknown[]) => startJob({ link: parts.link, info, args, ...parts.options }),
    with: (options: CallOptions) => {
      return makeRemote({ ...parts, options: { ...parts.options, ...options } })
    },
    later: (...args: unknown[]) => standInFor(parts, args),
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
  /** Its calls end something, and are made also in a function that was cancelled. */
  readonly isEnding?: boolean
}
