import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { temporaryFolder } from "../support/folder.ts"
import { MIB } from "../support/memory.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** Async iterables as arguments: they stay where they are, and the function reads them from there. */
let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(async () => {
  await until(async () => (await stack.here.status()).callsInFlight === 0, "all calls to end")
  await stack[Symbol.asyncDispose]()
})

/** A source that tells what was done to it. */
class Source {
  /** Items that were asked for. */
  asked = 0
  hasEnded = false

  async *count(n: number, failAt = -1): AsyncGenerator<number, string, void> {
    try {
      for (let i = 0; i < n; i++) {
        this.asked++
        if (i === failAt) throw new RangeError(`no ${i}`)
        yield i
      }
      return "counted"
    } finally {
      this.hasEnded = true
    }
  }
}

async function* large(): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < 4; i++) yield new Uint8Array(6 * MIB)
}

/** Never gives anything. */
async function* silent(): AsyncGenerator<number> {
  await new Promise(() => {})
  yield 0
}

async function* unsendable() {
  yield 1
  yield () => 1
}

async function sendSum() {
  return fn(async function sum(first: AsyncIterable<number>, second?: AsyncIterable<number>) {
    let total = 0
    for await (const item of first) total += item
    if (second !== undefined) for await (const item of second) total += item
    return total
  }).to(stack.here)
}

describe("an async iterable as an argument", () => {
  test("is read by the function, item by item", async () => {
    const sum = await sendSum()
    expect(await sum(new Source().count(10))).toBe(45)
    expect(await sum(new Source().count(0))).toBe(0)
    expect(await sum.async(new Source().count(50_000))).toBe((50_000 * 49_999) / 2)
  })

  test("may be one of many, at any place, beside plain arguments", async () => {
    const zip = await fn(async function zip(
      label: string,
      ...sources: readonly AsyncIterable<number>[]
    ) {
      const lists = await Promise.all(sources.map((source) => Array.fromAsync(source)))
      return { label, lists, last: lists.length }
    }).to(stack.here)
    const sources = Array.from({ length: 20 }, (_, i) => new Source().count(i))
    const { lists, label } = await zip("zip", ...sources)
    expect(label).toBe("zip")
    expect(lists).toEqual(
      Array.from({ length: 20 }, (_, i) => Array.from({ length: i }, (_x, j) => j)),
    )
  })

  test("may be a ReadableStream, and any object with an async iterator", async () => {
    const texts = await fn(async function texts(source: AsyncIterable<Uint8Array>) {
      let text = ""
      for await (const chunk of source) text += Buffer.from(chunk).toString()
      return text
    }).to(stack.here)
    const stream = new Response("from a response").body
    if (stream === null) throw new Error("expected a body")
    expect(await texts(stream)).toBe("from a response")
    const chunks = [Buffer.from("by "), Buffer.from("hand")]
    const byHand: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          const value = chunks.shift()
          return value === undefined ? { done: true, value } : { done: false, value }
        },
      }),
    }
    expect(await texts(byHand)).toBe("by hand")
  })

  test("gives what it returns, too", async () => {
    const end = await fn(async function end(source: AsyncGenerator<number, string>) {
      for (;;) {
        const { done, value } = await source.next()
        if (done) return value
      }
    }).to(stack.here)
    expect(await end(new Source().count(3))).toBe("counted")
  })

  test("is not read before the function reads it, nor further than a window ahead", async () => {
    const ignore = await fn(async function ignore(_source: AsyncIterable<number>) {
      return "ignored"
    }).to(stack.here)
    const unread = new Source()
    expect(await ignore(unread.count(10))).toBe("ignored")
    expect(unread.asked).toBe(0)
    const first = await fn(async function first(source: AsyncIterable<number>) {
      const iterator = source[Symbol.asyncIterator]()
      const { value } = await iterator.next()
      await Bun.sleep(100)
      return value
    }).to(stack.here)
    const source = new Source()
    expect(await first(source.count(1e9))).toBe(0)
    expect(source.asked).toBeLessThanOrEqual(16_384 + 1)
    await until(() => source.hasEnded, "the source to be told that the call ended")
  })

  test("is told to return when the function breaks out", async () => {
    const take = await fn(async function take(
      source: AsyncIterable<number>,
      n: number,
      mark: string,
    ) {
      let taken = 0
      for await (const _ of source) if (++taken === n) break
      // The call goes on; the source must not.
      while (!(await Bun.file(mark).exists())) await Bun.sleep(5)
      return taken
    }).to(stack.here)
    const source = new Source()
    using folder = temporaryFolder()
    const mark = folder.join("mark")
    const call = take(source.count(1e9), 5, mark)
    await until(() => source.hasEnded, "the source to be ended")
    await Bun.write(mark, "")
    expect(await call).toBe(5)
  })

  test("throws in the function what it throws here, after the items before", async () => {
    const seen = await fn(async function seen(source: AsyncIterable<unknown>) {
      const items: unknown[] = []
      try {
        for await (const item of source) items.push(item)
      } catch (error) {
        return { items: items.length, isRange: error instanceof RangeError, text: String(error) }
      }
      return undefined
    }).to(stack.here)
    expect(await seen(new Source().count(5_000, 3_000))).toEqual({
      items: 3_000,
      isRange: true,
      text: "RangeError: no 3000",
    })
    expect(await seen(unsendable())).toEqual({
      items: 1,
      isRange: false,
      text: "BunhouseError: item cannot be sent: it is a function",
    })
  })

  test("ends with the call: at its deadline, and when it is cancelled", async () => {
    const forever = await fn(async function forever(source: AsyncIterable<number>) {
      for await (const _ of source) {
        // Reads on.
      }
    }).to(stack.here)
    const late = new Source()
    const error = await caught(forever.with({ timeoutMs: 200 })(late.count(1e9)))
    expect(error.code).toBe("DEADLINE_EXCEEDED")
    await until(() => late.hasEnded, "the source to be ended")
    const cancelled = new Source()
    const controller = new AbortController()
    const call = caught(forever.with({ signal: controller.signal })(cancelled.count(1e9)))
    await until(() => cancelled.asked > 10, "the source to be read")
    controller.abort()
    expect((await call).code).toBe("CANCELLED")
    await until(() => cancelled.hasEnded, "the source to be ended")
  })

  test("wakes a function that reads it when the call is cancelled (A2)", async () => {
    const stuck = await fn(async function stuck(source: AsyncIterable<number>, mark: string) {
      try {
        for await (const _ of source) {
          // The source gives nothing.
        }
      } catch (error) {
        await Bun.write(mark, String(error))
      }
    }).to(stack.here)
    using folder = temporaryFolder()
    const mark = folder.join("mark")
    expect((await caught(stuck.with({ timeoutMs: 200 })(silent(), mark))).code).toBe(
      "DEADLINE_EXCEEDED",
    )
    expect(
      await until(async () => {
        const text = await Bun.file(mark)
          .text()
          .catch(() => "")
        return text !== "" && text
      }, "the function to hear"),
    ).toContain("was cancelled, or its deadline passed")
  })

  test("of a generator function streams both ways", async () => {
    const double = await fn(async function* double(source: AsyncIterable<number>) {
      for await (const item of source) yield item * 2
    }).to(stack.here)
    const doubled = await Array.fromAsync(double(new Source().count(20_000)))
    expect(doubled).toEqual(Array.from({ length: 20_000 }, (_, i) => i * 2))
    const source = new Source()
    for await (const item of double(source.count(1e9))) if (item > 100) break
    await until(() => source.hasEnded, "the source to be ended")
  })

  test("passes large items", async () => {
    const lengths = await fn(async function lengths(source: AsyncIterable<Uint8Array>) {
      const all: number[] = []
      for await (const item of source) all.push(item.length)
      return all
    }).to(stack.here)
    expect(await lengths(large())).toEqual([6 * MIB, 6 * MIB, 6 * MIB, 6 * MIB])
  })

  test("is lost with its env: the function's caller hears of it, the source is ended", async () => {
    const env = stack.here.env("lost")
    const read = await fn(async function read(source: AsyncIterable<number>) {
      for await (const item of source) if (item === 100) process.kill(process.pid, "SIGKILL")
    }).to(env)
    const source = new Source()
    expect(await caught(read(source.count(1e9)))).toMatchObject({ code: "WORKER_LOST" })
    await until(() => source.hasEnded, "the source to be ended")
  })
})

describe("a stream is refused as an argument", () => {
  test("of a blocking call, and of a function on a thread", async () => {
    const sum = await sendSum()
    const onThread = await fn((source: AsyncIterable<number>) => typeof source, {
      name: "onThread",
    }).to(stack.here)
    const refused = [
      caught(() => sum.sync(new Source().count(1))),
      caught(() => onThread(new Source().count(1))),
      caught(onThread.async(new Source().count(1))),
    ]
    for (const error of await Promise.all(refused)) {
      expect(error).toMatchObject({ code: "INVALID_ARGUMENT", ran: "no" })
      expect(error.message).toContain("an argument is a stream")
    }
  })

  test("inside of other values, and more than 64 at a time", async () => {
    const sum = await sendSum()
    const inside = { items: new Source().count(1) }
    expect(await caught(Reflect.apply(sum, undefined, [inside]))).toMatchObject({
      code: "VALUE_NOT_SENDABLE",
      path: "args[0].items",
    })
    const many = Array.from({ length: 65 }, () => new Source().count(1))
    const error = await caught(Reflect.apply(sum, undefined, many))
    expect(error.message).toContain("at most 64 streams")
  })
})
