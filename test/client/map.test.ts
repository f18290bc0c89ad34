import { describe, expect, test } from "bun:test"
import { mapCalls, type MapOptions, type MapProgress, type MapRun } from "../../client/map.ts"
import { MAP_WINDOW } from "../../protocol/limits.ts"
import { caught } from "../support/caught.ts"
import { until } from "../support/until.ts"

/** Calls that end when a test says so. */
class Calls {
  readonly made: unknown[][] = []
  readonly cancelled: unknown[] = []
  inFlight = 0
  mostInFlight = 0
  readonly #open = new Map<unknown, PromiseWithResolvers<unknown>>()

  readonly make = async (args: readonly unknown[], signal: AbortSignal): Promise<unknown> => {
    const [item] = args
    const end = Promise.withResolvers<unknown>()
    this.made.push([...args])
    this.#open.set(item, end)
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight)
    signal.addEventListener("abort", () => {
      if (this.#open.has(item)) this.cancelled.push(item)
      end.reject(signal.reason)
    })
    try {
      return await end.promise
    } finally {
      this.inFlight--
      this.#open.delete(item)
    }
  }

  /** The call of `item` returns `item * 10`. */
  async end(item: number): Promise<void> {
    const call = await until(() => this.#open.get(item), `the call of ${item}`)
    call.resolve(item * 10)
  }

  async fail(item: number, error: unknown): Promise<void> {
    const call = await until(() => this.#open.get(item), `the call of ${item}`)
    call.reject(error)
  }
}

function start(
  calls: Calls,
  items: Iterable<unknown> | AsyncIterable<unknown>,
  options: MapOptions = {},
  signal?: AbortSignal,
): MapRun<unknown> {
  return mapCalls(calls.make, items, options, signal)
}

/** Items that are counted as they are taken; `closed` once the source was told of the end. */
class Source implements Iterable<number> {
  taken = 0
  closed = 0;

  *[Symbol.iterator](): Generator<number> {
    try {
      for (;;) yield this.taken++
    } finally {
      this.closed++
    }
  }
}

function brokenBar({ ended }: MapProgress): void {
  if (!ended) throw new Error("my bar broke")
}

/** What follows when nothing more happens by itself. */
const settle = () => Bun.sleep(5)

describe("map()", () => {
  test("hands out results in the order of the items, whichever call ends first", async () => {
    const calls = new Calls()
    const all = start(calls, [1, 2, 3, 4]).toArray()
    for (const item of [4, 2, 1, 3]) await calls.end(item)
    expect(await all).toEqual([10, 20, 30, 40])
    expect(calls.made).toEqual([[1], [2], [3], [4]])
  })

  test("of no items is no results", async () => {
    const calls = new Calls()
    expect(await start(calls, []).toArray()).toEqual([])
    expect(await start(calls, (async function* () {})()).toArray()).toEqual([])
    expect(calls.made).toEqual([])
  })

  test("does nothing before the first result is asked for", async () => {
    const [calls, source] = [new Calls(), new Source()]
    const run = start(calls, source)
    await settle()
    expect([calls.made.length, source.taken]).toEqual([0, 0])
    await run.return()
    expect([calls.made.length, source.taken]).toEqual([0, 0])
  })

  test("never has more than `concurrency` calls in flight", async () => {
    const calls = new Calls()
    const all = start(
      calls,
      Array.from({ length: 20 }, (_, i) => i),
      { concurrency: 3 },
    ).toArray()
    for (let item = 0; item < 20; item++) await calls.end(item)
    expect((await all).length).toBe(20)
    expect(calls.mostInFlight).toBe(3)
  })

  test("stops taking items while the first result is missing (a bounded window)", async () => {
    const [calls, source] = [new Calls(), new Source()]
    const run = start(calls, source, { concurrency: 2 })
    const first = run.next()
    for (let item = 1; item < 2 * MAP_WINDOW; item++) await calls.end(item)
    await settle()
    expect(source.taken).toBe(2 * MAP_WINDOW)
    await calls.end(0)
    expect(await first).toEqual({ done: false, value: 0 })
    await until(() => source.taken > 2 * MAP_WINDOW, "the next item to be taken")
    await run.return()
  })

  test("stops taking items while the consumer takes no results", async () => {
    const source = new Source()
    const run = mapCalls(async ([item]) => item, source, { concurrency: 4 }, undefined)
    expect(await run.next()).toEqual({ done: false, value: 0 })
    await settle()
    expect(source.taken).toBeLessThanOrEqual(4 * MAP_WINDOW + 1)
    await run.return()
  })

  test("asks an async source for one item at a time", async () => {
    let [asked, most] = [0, 0]
    const source = {
      [Symbol.asyncIterator]: () => ({
        count: 0,
        async next() {
          most = Math.max(most, ++asked)
          await Bun.sleep(1)
          asked--
          return this.count < 8 ? { done: false, value: this.count++ } : { done: true, value: 0 }
        },
      }),
    }
    const run = mapCalls(async ([item]) => item, source, { concurrency: 4 }, undefined)
    expect(await run.toArray()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(most).toBe(1)
  })

  test("`break` cancels what is in flight, makes no further call and tells the source", async () => {
    const [calls, source] = [new Calls(), new Source()]
    setTimeout(() => void calls.end(0), 1)
    for await (const result of start(calls, source, { concurrency: 3 })) {
      expect(result).toBe(0)
      break
    }
    const made = calls.made.length
    expect(calls.cancelled).toEqual([1, 2, 3])
    await settle()
    expect([calls.made.length, calls.inFlight, source.closed]).toEqual([made, 0, 1])
  })

  test("the first failure is thrown after the results before it, and cancels the rest", async () => {
    const [calls, source] = [new Calls(), new Source()]
    const run = start(calls, source, { concurrency: 4 })
    const first = run.next()
    await calls.end(0)
    await first
    await calls.end(1)
    await calls.fail(3, new RangeError("three"))
    expect(await run.next()).toEqual({ done: false, value: 10 })
    const second: unknown = await run.next().catch((error: unknown) => error)
    expect(second).toEqual(new RangeError("three"))
    expect(calls.cancelled).toContain(2)
    const made = calls.made.length
    await settle()
    expect([calls.made.length, source.closed, calls.inFlight]).toEqual([made, 1, 0])
    expect(await run.next()).toEqual({ done: true, value: undefined })
  })

  test("`settled` says how each call ended, and goes on", async () => {
    const calls = new Calls()
    const all = start(calls, [1, 2, 3], { settled: true }).toArray()
    await calls.end(3)
    await calls.fail(2, "no")
    await calls.end(1)
    expect(await all).toEqual([
      { status: "fulfilled", value: 10 },
      { status: "rejected", reason: "no" },
      { status: "fulfilled", value: 30 },
    ])
  })

  test("`spread` passes each item as all the arguments", async () => {
    const run = mapCalls(
      async ([a, b]) => `${String(a)}${String(b)}`,
      [
        ["a", 1],
        ["b", 2],
      ],
      { spread: true },
      undefined,
    )
    expect(await run.toArray()).toEqual(["a1", "b2"])
    const wrong = start(new Calls(), [1], { spread: true })
    expect((await caught(wrong.toArray())).message).toContain("every item to be a list")
  })

  test("fails with what the items throw", async () => {
    const calls = new Calls()
    const run = start(
      calls,
      (function* () {
        yield 1
        throw new Error("no more")
      })(),
    )
    expect(await run.toArray().catch(String)).toBe("Error: no more")
    expect(calls.cancelled).toEqual([1])
    const later = start(
      calls,
      (async function* () {
        yield 1
        throw new Error("not any more")
      })(),
    )
    expect(await later.toArray().catch(String)).toBe("Error: not any more")
  })

  test("is cancelled by its caller's signal, settled or not, also between results", async () => {
    for (const settled of [false, true]) {
      const [calls, source, controller] = [new Calls(), new Source(), new AbortController()]
      const run = mapCalls(calls.make, source, { settled, concurrency: 2 }, controller.signal)
      const first = run.next()
      await until(() => calls.inFlight === 2, "two calls")
      controller.abort(new Error("enough"))
      const error = await caught(first)
      expect(error.code).toBe("CANCELLED")
      expect(error.cause).toEqual(new Error("enough"))
      expect(source.closed).toBe(1)
      const never = mapCalls(calls.make, source, {}, AbortSignal.abort())
      expect((await caught(never.next())).code).toBe("CANCELLED")
    }
  })

  test("reports how far it is, and the end once", async () => {
    const reports: MapProgress[] = []
    const calls = new Calls()
    const onProgress = (progress: MapProgress) => void reports.push(progress)
    const all = start(calls, new Set([1, 2]), { settled: true, onProgress }).toArray()
    await calls.end(1)
    await calls.fail(2, "no")
    await all
    expect(reports).toEqual([
      { done: 1, failed: 0, total: 2, ended: false },
      { done: 2, failed: 1, total: 2, ended: false },
      { done: 2, failed: 1, total: 2, ended: true },
    ])
    reports.length = 0
    const run = mapCalls(async () => 1, new Source(), { onProgress }, undefined)
    await run.next()
    await run.return()
    expect(reports.at(-1)).toMatchObject({ total: undefined, ended: true })
    expect(reports.filter(({ ended }) => ended).length).toBe(1)
  })

  test("an onProgress that throws ends the run", async () => {
    const source = new Source()
    const run = mapCalls(async () => 1, source, { onProgress: brokenBar }, undefined)
    expect(await run.toArray().catch(String)).toBe("Error: my bar broke")
    expect(source.closed).toBe(1)
  })

  test.each([0, -1, 1.5, Number.NaN, 1e9])("refuses a concurrency of %p", (concurrency) => {
    expect(() => start(new Calls(), [], { concurrency })).toThrow("expected concurrency")
  })

  test("refuses items that cannot be walked", async () => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what JavaScript would pass
    const items = 5 as unknown as Iterable<unknown>
    expect((await caught(start(new Calls(), items).toArray())).message).toContain("iterable")
  })

  test("does not wait for a source that is still thinking when it is over", async () => {
    const controller = new AbortController()
    const stuck = (async function* () {
      await new Promise(() => {})
      yield 1
    })()
    const run = mapCalls(async () => 1, stuck, {}, controller.signal)
    const first = run.next()
    controller.abort()
    expect((await caught(first)).code).toBe("CANCELLED")
  })
})
