import { fn, here, type Remote, type StreamOptions } from "../../client/index.ts"
import { type Equal, expectType } from "./equal.ts"

/** What TypeScript says of remote generator functions, held by `bun check`: this file is never run. */

declare function count(n: number): Generator<number, string, boolean>
declare function countAsync(n: number): AsyncGenerator<number, string, boolean>
declare function lines(path: string): AsyncIterableIterator<string>
declare function rows(path: string): AsyncIterable<{ id: number }>
declare function each<T>(items: readonly T[]): AsyncGenerator<T, void, unknown>
declare function list(n: number): number[]
declare function set(n: number): Set<number>
declare function either(now: true): Generator<number>
declare function either(now: false): Promise<number>
declare function upload(name: string, parts: AsyncIterable<Uint8Array>): Promise<number>

type Call<F extends (...args: never[]) => unknown> = (...args: Parameters<F>) => ReturnType<F>

export function callsAreOfTheSameType(): void {
  expectType<Equal<Call<Remote<typeof count>>, typeof count>>()
  expectType<Equal<Call<Remote<typeof countAsync>>, typeof countAsync>>()
  expectType<Remote<typeof each> extends typeof each ? true : false>()
}

export function asyncGivesAsyncGenerators(): void {
  expectType<Equal<Remote<typeof count>["async"], typeof countAsync>>()
  expectType<Equal<Remote<typeof countAsync>["async"], typeof countAsync>>()
  expectType<
    Equal<
      Remote<typeof rows>["async"],
      (path: string) => AsyncGenerator<{ id: number }, unknown, unknown>
    >
  >()
  expectType<
    Equal<
      ReturnType<
        Remote<typeof lines>["async"]
      >[typeof Symbol.asyncIterator] extends () => AsyncGenerator<string, unknown, unknown>
        ? true
        : false,
      true
    >
  >()
}

export function syncGivesGenerators(): void {
  expectType<Equal<Remote<typeof count>["sync"], typeof count>>()
  expectType<Equal<Remote<typeof countAsync>["sync"], typeof count>>()
  expectType<
    Equal<
      Remote<typeof rows>["sync"],
      (path: string) => Generator<{ id: number }, unknown, unknown>
    >
  >()
}

export function typeParametersAreKept(remote: Remote<typeof each>): void {
  expectType<
    Equal<ReturnType<typeof remote.async<string>>, AsyncGenerator<string, void, unknown>>
  >()
}

export function listsAndSetsAreValues(): void {
  expectType<Equal<Remote<typeof list>["async"], (n: number) => Promise<number[]>>>()
  expectType<Equal<Remote<typeof set>["async"], (n: number) => Promise<Set<number>>>>()
  expectType<Equal<Remote<typeof list>["sync"], typeof list>>()
}

export function overloadsAreKept(remote: Remote<typeof either>): void {
  const generator: AsyncGenerator<number> = remote.async(true)
  const promise: Promise<number> = remote.async(false)
  void [generator, promise]
}

export async function functionsAreSentAsTheyAre(): Promise<void> {
  const remote = await fn(async function* (n: number) {
    yield n
    return "end"
  }).to(here)
  for await (const item of remote(1)) expectType<Equal<typeof item, number>>()
  for (const item of remote.sync(1)) expectType<Equal<typeof item, number>>()
  const { done, value } = await remote(1).next()
  if (done) expectType<Equal<typeof value, string>>()
  // @ts-expect-error -- the parameters of the function
  remote("one")
  const window: StreamOptions = { window: 5 }
  remote.with({ stream: window })
  // @ts-expect-error -- a misspelt option
  remote.with({ stream: { windows: 5 } })
}

export function streamsAreArguments(
  remote: Remote<typeof upload>,
  parts: ReadableStream<Uint8Array>,
): void {
  void remote("file", parts)
}
