import { BunhouseError } from "../protocol/errors.ts"
import { MAP_CONCURRENCY_DEFAULT, MAP_CONCURRENCY_MAX } from "../protocol/limits.ts"
import { checkKnown } from "./known-options.ts"
import { MapRunner } from "./map-runner.ts"
import type { AnyFunction } from "./code/kind.ts"

/** `remote.map(items)`: one call for each item, many at a time. map-runner.ts makes the calls. */

export interface MapOptions {
  /** Calls in flight at a time, 1 to 16,384. Default 64. */
  readonly concurrency?: number
  /** How each call ended instead of its value: an item that fails does not end the run. Default false. */
  readonly settled?: boolean
  /** Each item is a list of all the arguments, not the first and only one. Default false. */
  readonly spread?: boolean
  /** Called after each call that ended, and once more when the run is over. What it throws ends the run. */
  readonly onProgress?: (progress: MapProgress) => void
}

export interface MapProgress {
  /** Calls that ended, however they did. */
  readonly done: number
  /** Those of them that failed. */
  readonly failed: number
  /** Undefined where the items do not say how many they are. */
  readonly total: number | undefined
  /** True in the last report. */
  readonly ended: boolean
}

/** Results as they come, in the order of the items. Ended by `break`, which cancels what is in flight. */
export interface MapRun<R> extends AsyncGenerator<R, void, undefined> {
  /** All results. Rejects with the first error, after the rest was cancelled. */
  toArray(): Promise<R[]>
}

export type Items<T> = Iterable<T> | AsyncIterable<T>

export interface MapMethod<F extends AnyFunction> {
  /**
   * Calls the function once for each item, with the item as its one argument:
   *
   *     for await (const page of fetchPage.map(urls, { concurrency: 20 })) …
   *     const all = await fetchPage.map(urls).toArray()
   *
   * Lazy and bounded: `items` may be of any length, and nothing happens before the first result is asked for.
   *
   * @throws what the first call that fails throws, after the other calls were cancelled; INVALID_ARGUMENT for options
   *   that cannot be; whatever the items throw.
   */
  (items: Items<Item<F>>, options?: ValuesOf<MapOptions>): MapRun<Awaited<ReturnType<F>>>
  (
    items: Items<Item<F>>,
    options: SettledOf<MapOptions>,
  ): MapRun<PromiseSettledResult<Awaited<ReturnType<F>>>>
  (
    items: Items<Readonly<Parameters<F>>>,
    options: ValuesOf<MapOptions> & Spread,
  ): MapRun<Awaited<ReturnType<F>>>
  (
    items: Items<Readonly<Parameters<F>>>,
    options: SettledOf<MapOptions> & Spread,
  ): MapRun<PromiseSettledResult<Awaited<ReturnType<F>>>>
}

/** What a function takes that can be called with one argument; `never` for others. */
type Item<F extends AnyFunction> = F extends (item: infer T) => unknown ? T : never
type ValuesOf<O extends MapOptions> = Omit<O, "settled" | "spread"> & { readonly settled?: false }
type SettledOf<O extends MapOptions> = Omit<O, "settled" | "spread"> & { readonly settled: true }
interface Spread {
  readonly spread: true
}

const KNOWN = { concurrency: true, settled: true, spread: true, onProgress: true } as const

/** Makes the calls of one run; `call` is given its arguments and the signal that ends the run. */
export function mapCalls(
  call: (args: readonly unknown[], signal: AbortSignal) => Promise<unknown>,
  items: Items<unknown>,
  options: MapOptions,
  signal: AbortSignal | undefined,
): MapRun<unknown> {
  checkKnown("map()", options, KNOWN)
  const { concurrency = MAP_CONCURRENCY_DEFAULT, spread = false, settled = false } = options
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > MAP_CONCURRENCY_MAX) {
    throw refusal(`concurrency to be from 1 to ${MAP_CONCURRENCY_MAX}`, concurrency)
  }
  const { onProgress = () => {} } = options
  const makeCall = (item: unknown, stop: AbortSignal) => call(argumentsFor(item, spread), stop)
  const run = new MapRunner({
    call: makeCall,
    items,
    concurrency,
    isSettled: settled,
    onProgress,
    signal,
  })
  const results = run.results()
  return Object.assign(results, { toArray: () => Array.fromAsync(results) })
}

function argumentsFor(item: unknown, isSpread: boolean): readonly unknown[] {
  if (!isSpread) return [item]
  if (Array.isArray(item)) return item
  throw refusal("every item to be a list of arguments (spread)", item)
}

function refusal(expected: string, given: unknown): BunhouseError {
  const got = Bun.inspect(given, { depth: 0 }).slice(0, 60)
  return new BunhouseError("INVALID_ARGUMENT", `expected ${expected}, got ${got}`)
}
