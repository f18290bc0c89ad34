import type {
  AnyFunction,
  BunhouseError,
  CallContext,
  CallOptions,
  Daemon,
  Env,
  ErrorCode,
  FunctionInfo,
  Ran,
  Remote,
  Sendable,
  Target,
  UntypedFunction,
} from "../../client/index.ts"
import { connect, context, fn, here } from "../../client/index.ts"
import { type Equal, expectType } from "./equal.ts"

/**
 * What TypeScript says of the library, held by `bun check`: this file is never run. A line under `@ts-expect-error`
 * that compiles is an error, too.
 */

declare function sum(a: number, b: number): number
declare function load(path: string): Promise<Uint8Array>
declare function greet(name: string, greeting?: string): string
declare function join(separator: string, ...parts: string[]): string
declare const scaled: (value: number, factor?: number) => Promise<number>
declare function none(): void
declare function noneAsync(): Promise<void>
declare function first<T>(items: readonly T[]): T | undefined
declare function firstAsync<T extends object>(items: readonly T[]): Promise<T | undefined>
declare function read(path: string, encoding: "utf8"): string
declare function read(path: string): Uint8Array
declare function readAsync(path: string, encoding: "utf8"): Promise<string>
declare function readAsync(path: string): Promise<Uint8Array>
declare function either(now: true): number
declare function either(now: false): Promise<number>
declare function perhaps(x: number): number | Promise<number>
declare function thenable(x: number): PromiseLike<number>
declare function fails(): never
declare function loose(x: Anything): Anything
declare function three(x: 1): "one"
declare function three(x: 2): "two"
declare function three(x: 3): "three"
declare function four(x: 1): 1
declare function four(x: 2): 2
declare function four(x: 3): 3
declare function four(x: 4): 4

// oxlint-disable-next-line typescript/no-explicit-any -- what an untyped function takes and gives
type Anything = any
type Call<F extends AnyFunction> = (...args: Parameters<F>) => ReturnType<F>
type Async<F extends AnyFunction> = Remote<F>["async"]
type Sync<F extends AnyFunction> = Remote<F>["sync"]

export function wrongTypesAreNoticed(): void {
  // @ts-expect-error -- another type
  expectType<Equal<Sync<typeof load>, typeof load>>()
  // @ts-expect-error -- `any` is no text
  expectType<Equal<Anything, string>>()
  // @ts-expect-error -- an argument more
  expectType<Equal<Async<typeof none>, (x: number) => Promise<void>>>()
}

export function callsAreOfTheSameType(): void {
  expectType<Equal<Call<Remote<typeof sum>>, typeof sum>>()
  expectType<Equal<Call<Remote<typeof load>>, typeof load>>()
  expectType<Equal<Call<Remote<typeof greet>>, (name: string, greeting?: string) => string>>()
  expectType<Equal<Call<Remote<typeof join>>, typeof join>>()
  expectType<Equal<Call<Remote<typeof scaled>>, typeof scaled>>()
  expectType<Remote<typeof sum> extends typeof sum ? true : false>()
  expectType<Remote<typeof readAsync> extends typeof readAsync ? true : false>()
  expectType<Remote<typeof first> extends typeof first ? true : false>()
}

export function asyncReturnsAPromise(): void {
  expectType<Equal<Async<typeof sum>, (a: number, b: number) => Promise<number>>>()
  expectType<Equal<Async<typeof load>, typeof load>>()
  expectType<Equal<Async<typeof greet>, (name: string, greeting?: string) => Promise<string>>>()
  expectType<Equal<Async<typeof join>, (s: string, ...p: string[]) => Promise<string>>>()
  expectType<Equal<Async<typeof scaled>, typeof scaled>>()
  expectType<Equal<Async<typeof none>, () => Promise<void>>>()
  expectType<Equal<Async<typeof perhaps>, (x: number) => Promise<number>>>()
  expectType<Equal<Async<typeof thenable>, (x: number) => Promise<number>>>()
  expectType<Equal<Async<typeof fails>, () => Promise<never>>>()
  expectType<Equal<ReturnType<Async<typeof loose>>, Promise<Anything>>>()
  expectType<Equal<ReturnType<Async<UntypedFunction>>, Promise<unknown>>>()
}

export function syncReturnsTheValue(): void {
  expectType<Equal<Sync<typeof sum>, typeof sum>>()
  expectType<Equal<Sync<typeof load>, (path: string) => Uint8Array>>()
  expectType<Equal<Sync<typeof scaled>, (value: number, factor?: number) => number>>()
  expectType<Equal<Sync<typeof noneAsync>, () => void>>()
  expectType<Equal<Sync<typeof perhaps>, (x: number) => number>>()
  expectType<Equal<Sync<typeof thenable>, (x: number) => number>>()
  expectType<Equal<Sync<typeof fails>, () => never>>()
  expectType<Equal<ReturnType<Sync<typeof loose>>, Anything>>()
  expectType<Equal<ReturnType<Sync<UntypedFunction>>, unknown>>()
}

export function typeParametersAreKept(
  sync: Remote<typeof first>,
  async: Remote<typeof firstAsync>,
): void {
  const byDefault = sync(["a"])
  const blocking = sync.sync([1])
  const promised = async([{ x: 1 }])
  const awaitable = async.async([{ x: 1 }])
  expectType<Equal<typeof byDefault, string | undefined>>()
  expectType<Equal<typeof blocking, number | undefined>>()
  expectType<Equal<typeof promised, Promise<{ x: number } | undefined>>>()
  expectType<Equal<typeof awaitable, Promise<{ x: number } | undefined>>>()
  // The other way of waiting needs a type of another shape, and there TypeScript gives parameters up for their bounds.
  const otherWay = sync.async(["a"])
  const otherWayToo = async.sync([{ x: 1 }])
  expectType<Equal<typeof otherWay, Promise<unknown>>>()
  expectType<Equal<typeof otherWayToo, object | undefined>>()
  // @ts-expect-error -- a number is no object
  void async([1])
  // @ts-expect-error -- a number is no object
  async.sync([1])
}

export function overloadsAreKept(
  sync: Remote<typeof read>,
  async: Remote<typeof readAsync>,
  both: Remote<typeof either>,
): void {
  expectType<Equal<ReturnType<typeof sync.async>, Promise<Uint8Array>>>()
  const text = [sync("a", "utf8"), sync.sync("a", "utf8"), async.sync("a", "utf8")] as const
  const bytes = [sync("a"), sync.sync("a"), async.sync("a")] as const
  const laterText = [sync.async("a", "utf8"), async("a", "utf8"), async.async("a", "utf8")] as const
  const laterBytes = [sync.async("a"), async("a"), async.async("a")] as const
  expectType<Equal<typeof text, readonly [string, string, string]>>()
  expectType<Equal<typeof bytes, readonly [Uint8Array, Uint8Array, Uint8Array]>>()
  expectType<Equal<(typeof laterText)[number], Promise<string>>>()
  expectType<Equal<(typeof laterBytes)[number], Promise<Uint8Array>>>()
  const now = [both(true), both.sync(true), both.sync(false)] as const
  const later = [both(false), both.async(true), both.async(false)] as const
  expectType<Equal<(typeof now)[number], number>>()
  expectType<Equal<(typeof later)[number], Promise<number>>>()
  // @ts-expect-error -- no overload takes it
  void sync.async("a", "latin1")
  // @ts-expect-error -- no overload takes it
  async.sync("a", "latin1")
}

export async function overloadsAreKeptUpToFour(
  numerals: Remote<typeof three>,
  digits: Remote<typeof four>,
): Promise<void> {
  const words = [await numerals.async(1), await numerals.async(2), await numerals.async(3)] as const
  expectType<Equal<typeof words, readonly ["one", "two", "three"]>>()
  const numbers = [
    await digits.async(1),
    await digits.async(2),
    await digits.async(3),
    await digits.async(4),
  ] as const
  expectType<Equal<typeof numbers, readonly [1, 2, 3, 4]>>()
}

export function wrongArgumentsAreErrors(
  add: Remote<typeof sum>,
  greeting: Remote<typeof greet>,
  joined: Remote<typeof join>,
): void {
  // @ts-expect-error -- an argument is missing
  add(1)
  // @ts-expect-error -- text is no number
  add(1, "2")
  // @ts-expect-error -- one too many
  add(1, 2, 3)
  // @ts-expect-error -- an argument is missing
  void add.async(1)
  // @ts-expect-error -- text is no number
  void add.async(1, "2")
  // @ts-expect-error -- one too many
  add.sync(1, 2, 3)
  // @ts-expect-error -- text is no number
  add.with({})("1", 2)
  // @ts-expect-error -- a number is no text
  void greeting.async("a", 1)
  // @ts-expect-error -- a number is no text
  void joined.async("-", "a", 1)
  // @ts-expect-error -- a promise is no number
  const notAwaited: number = add.async(1, 2)
  void [notAwaited, greeting.async("a"), greeting("a", "b"), joined.async("-"), joined("-", "a")]
}

export function whatElseARemoteHas(add: Remote<typeof sum>, options: CallOptions): void {
  const again = add.with(options).with({ timeoutMs: 1, signal: AbortSignal.timeout(1) })
  expectType<Equal<typeof again, Remote<typeof sum>>>()
  expectType<Equal<typeof add.local, typeof sum | undefined>>()
  expectType<Equal<typeof add.info, FunctionInfo>>()
  // @ts-expect-error -- seconds are not milliseconds
  add.with({ timeoutSeconds: 1 })
  // @ts-expect-error -- a number of milliseconds, no text
  add.with({ timeoutMs: "1s" })
  // @ts-expect-error -- it is not to be changed
  add.local = sum
}

export async function sendingKeepsTheType(daemon: Daemon, env: Env): Promise<void> {
  const sendable = fn(sum)
  expectType<Equal<typeof sendable, Sendable<typeof sum>>>()
  const sent = await sendable.to(daemon)
  expectType<Equal<typeof sent, Remote<typeof sum>>>()
  const inline = await fn(async (x: number) => [x], { name: "f", kind: "async", run: "loop" }).to(
    env,
  )
  expectType<Equal<typeof inline, Remote<(x: number) => Promise<number[]>>>>()
  expectType<Equal<Parameters<typeof sendable.to>, [target: Target]>>()
  expectType<Equal<Target, Daemon | Env>>()
  // @ts-expect-error -- a name is no target
  void sendable.to("here")
  // @ts-expect-error -- no function
  fn(1)
  // @ts-expect-error -- there is no such place
  fn(sum, { run: "moon" })
  // @ts-expect-error -- there is no such kind
  fn(sum, { kind: "promise" })
}

export async function findingTakesTheTypeThatIsSaid(): Promise<void> {
  const found = await here.get<typeof sum>("math/sum")
  expectType<Equal<typeof found, Remote<typeof sum>>>()
  const untyped = await here.get("math/sum")
  expectType<Equal<typeof untyped, Remote<UntypedFunction>>>()
  const value = await untyped.async(1)
  expectType<Equal<typeof value, unknown>>()
  // @ts-expect-error -- no function type
  void here.get<number>("math/sum")
}

export function theRest(error: BunhouseError): void {
  const elsewhere = connect({ url: "http://127.0.0.1:7420", token: "t", blocking: "resident" })
  const env = here.env("etl", { concurrency: 1, threads: { max: 1 }, queue: 0 })
  const call = context()
  expectType<Equal<typeof elsewhere, Daemon>>()
  expectType<Equal<typeof here, Daemon>>()
  expectType<Equal<typeof env, Env>>()
  expectType<Equal<typeof call, CallContext>>()
  expectType<Equal<typeof call.here, Daemon>>()
  expectType<Equal<typeof error.code, ErrorCode>>()
  expectType<Equal<typeof error.ran, Ran>>()
  expectType<Equal<Ran, "no" | "yes" | "maybe">>()
  // @ts-expect-error -- there is no such way to wait
  connect({ blocking: "busy" })
  // @ts-expect-error -- no such limit
  here.env("etl", { memory: 1 })
}

export async function mapKeepsTheTypes(
  add: Remote<typeof sum>,
  greeting: Remote<typeof greet>,
  scaling: Remote<typeof scaled>,
): Promise<void> {
  const lengths = await scaling.map([1, 2]).toArray()
  expectType<Equal<typeof lengths, number[]>>()
  const settled = await greeting.map(["a"], { settled: true }).toArray()
  expectType<Equal<typeof settled, PromiseSettledResult<string>[]>>()
  const pairs = await add.map([[1, 2]], { spread: true, concurrency: 2 }).toArray()
  expectType<Equal<typeof pairs, number[]>>()
  const both = await add.map([[1, 2]], { spread: true, settled: true }).toArray()
  expectType<Equal<typeof both, PromiseSettledResult<number>[]>>()
  for await (const text of greeting.map(new Set(["a"]))) expectType<Equal<typeof text, string>>()
  // @ts-expect-error -- the function needs two arguments
  add.map([1])
  // @ts-expect-error -- a number is no text
  greeting.map([1])
  // @ts-expect-error -- a list of arguments, not one
  add.map([1], { spread: true })
  // @ts-expect-error -- it is no promise
  await lengthsOf(greeting.map(["a"]))
}

declare function lengthsOf(texts: Promise<string[]>): Promise<number[]>

export function laterStandsForTheValue(
  load_: Remote<typeof load>,
  size: Remote<(x: Uint8Array) => number>,
): void {
  expectType<Equal<ReturnType<Remote<typeof load>["later"]>, Uint8Array>>()
  expectType<Equal<ReturnType<Remote<typeof sum>["later"]>, number>>()
  size(load_.later("path"))
  // @ts-expect-error -- a path is no bytes
  size("path")
  // @ts-expect-error -- it takes a path
  load_.later(1)
}
