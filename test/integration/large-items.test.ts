import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn, type Target } from "../../client/index.ts"
import { encodeItem } from "../../protocol/codec/index.ts"
import { ENV_PAYLOAD_MIB_DEFAULT } from "../../protocol/limits.ts"
import { caught } from "../support/caught.ts"
import { ask, pathOf } from "../support/http.ts"
import { isMarked, type Marks, startMarks } from "../support/mark.ts"
import { MIB } from "../support/memory.ts"
import { noise } from "../support/noise.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** Items of streams that are larger than a frame, in each way in which items travel. */
const LARGE = 9 * MIB + 12_345

let stack: Stack
let marks: Marks
beforeAll(async () => {
  stack = await startStack()
  marks = startMarks()
})
afterAll(async () => {
  await until(async () => (await stack.here.status()).callsInFlight === 0, "all calls to end")
  expect(await stack.log()).not.toContain("uncaught")
  await stack[Symbol.asyncDispose]()
  marks[Symbol.dispose]()
})

function nested(bytes: number) {
  const texts = Array.from({ length: 20 }, (_, i) => String(i % 10).repeat(bytes / 20))
  return { texts, first: { text: texts[0], at: new Date(0) } }
}

/** Small and large items, in an order that readers check. */
function* mixed(bytes: number) {
  yield 1
  yield noise(bytes)
  yield "two"
  yield nested(bytes)
  for (let i = 0; i < 100; i++) yield i
}

const EXPECTED = [...mixed(LARGE)]

function expectMixed(items: readonly unknown[]): void {
  expect(items).toHaveLength(EXPECTED.length)
  expect(items.findIndex((item, index) => !isSame(item, EXPECTED[index]))).toBe(-1)
}

/** `Bun.deepEquals` looks at bytes one by one. */
function isSame(item: unknown, other: unknown): boolean {
  return item instanceof Uint8Array && other instanceof Uint8Array
    ? Buffer.compare(item, other) === 0
    : Bun.deepEquals(item, other, true)
}

async function sendMixed() {
  const onLoop = await fn(
    async function* (bytes: number) {
      yield* mixed(bytes)
      return "end"
    },
    { name: "mixed" },
  ).to(stack.here)
  const onThread = await fn(
    function* (bytes: number) {
      yield* mixed(bytes)
      return "end"
    },
    { name: "mixedOnThread" },
  ).to(stack.here)
  return { onLoop, onThread }
}

describe("items larger than a frame arrive as sent, between small ones, in order", () => {
  test("of async generators, awaited and blocking", async () => {
    const { onLoop } = await sendMixed()
    expectMixed(await Array.fromAsync(onLoop(LARGE)))
    expectMixed([...onLoop.sync(LARGE)])
  }, 30_000)

  test("of sync generators on threads, awaited and blocking", async () => {
    const { onThread } = await sendMixed()
    expectMixed(await Array.fromAsync(onThread.async(LARGE)))
    expectMixed([...onThread(LARGE)])
  }, 30_000)

  test("by a resident thread", async () => {
    const { onLoop, onThread } = await sendMixed()
    using resident = stack.connect({ blocking: "resident" })
    expectMixed([...(await resident.get<typeof onLoop>("mixed")).sync(LARGE)])
    expectMixed([...(await resident.get<typeof onThread>("mixedOnThread")).sync(LARGE)])
  }, 30_000)

  test("where the window holds one item", async () => {
    const { onLoop } = await sendMixed()
    const narrow = onLoop.with({ stream: { window: 1 } })
    expectMixed(await Array.fromAsync(narrow(LARGE)))
    expectMixed([...narrow.sync(LARGE)])
  }, 30_000)

  test("of arguments, there and back", async () => {
    const back = await fn(
      async function* (source: AsyncIterable<unknown>) {
        yield* source
      },
      { name: "back" },
    ).to(stack.here)
    const source = (async function* () {
      yield* mixed(LARGE)
    })()
    expectMixed(await Array.fromAsync(back(source)))
    const chunks = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const seed of [1, 2]) controller.enqueue(noise(LARGE, seed))
        controller.close()
      },
    })
    const [one, two] = await Array.fromAsync(back(chunks))
    expect(isSame(one, noise(LARGE, 1)) && isSame(two, noise(LARGE, 2))).toBe(true)
  }, 30_000)

  test("of function to function, in one process and across envs", async () => {
    await sendMixed()
    await fn(
      async function* (bytes: number) {
        yield* mixed(bytes)
      },
      { name: "mixed" },
    ).to(stack.here.env("far"))
    const relay = await fn(
      async function* (name: string, bytes: number) {
        const { context } = await import("bunhouse")
        type Mixed = (bytes: number) => AsyncGenerator
        yield* (await context().here.get<Mixed>(name))(bytes)
      },
      { name: "relay" },
    ).to(stack.here)
    for (const name of ["default/mixed", "far/mixed"]) {
      expectMixed(await Array.fromAsync(relay(name, LARGE)))
    }
  }, 30_000)

  test("of two streams at the same time, with a small one beside them", async () => {
    const { onLoop, onThread } = await sendMixed()
    const count = await fn(
      async function* (n: number) {
        for (let i = 0; i < n; i++) yield i
      },
      { name: "count" },
    ).to(stack.here)
    const [one, two, small] = await Promise.all([
      Array.fromAsync(onLoop(LARGE)),
      Array.fromAsync(onThread.async(LARGE)),
      Array.fromAsync(count(10_000)),
    ])
    expectMixed(one)
    expectMixed(two)
    expect(small).toHaveLength(10_000)
  }, 30_000)

  test("over HTTP, as lines and as events", async () => {
    const json = await fn(
      async function* (bytes: number) {
        yield 1
        yield { text: "é\n".repeat(bytes / 4), list: [1] }
        yield 2
        yield "x".repeat(bytes)
      },
      { name: "json" },
    ).to(stack.here)
    const expected = await Array.fromAsync(json(LARGE - 1))
    const body = { args: [LARGE - 1] }
    const path = pathOf("default", "json", "/call")
    const lines = (await ask(stack, "POST", path, { body })).text.trimEnd().split("\n")
    const items = lines.slice(0, -1).map((line): unknown => JSON.parse(line).item)
    expect(Bun.deepEquals(items, expected)).toBe(true)
    expect(lines.at(-1)).toBe('{"ok":true}')
    const headers = { accept: "text/event-stream" }
    const events = (await ask(stack, "POST", path, { body, headers })).text.split("\n\n")
    const data = events.slice(0, 4).map((event): unknown => JSON.parse(event.slice(6)))
    expect(Bun.deepEquals(data, expected)).toBe(true)
    expect(events.slice(4)).toEqual(['event: end\ndata: {"ok":true}', ""])
  }, 30_000)
})

/** Of texts whose items take exactly so many bytes. */
const TEXT_OVERHEAD = encodeItem("x".repeat(MIB)).length - MIB

async function sendGrow(target: Target) {
  const onLoop = await fn(
    async function* (length: number, mark: string) {
      try {
        yield "first"
        yield "x".repeat(length)
        yield "last"
      } finally {
        await Bun.write(mark, "")
      }
    },
    { name: "grow" },
  ).to(target)
  const onThread = await fn(
    function* (length: number, mark: string) {
      const { writeFileSync } = require("node:fs")
      try {
        yield "first"
        yield "x".repeat(length)
        yield "last"
      } finally {
        writeFileSync(mark, "")
      }
    },
    { name: "growOnThread" },
  ).to(target)
  return { onLoop, onThread }
}

async function lengths(items: AsyncIterable<unknown> | Iterable<unknown>): Promise<number[]> {
  const seen: number[] = []
  for await (const item of items) seen.push(String(item).length)
  return seen
}

describe("payloadMiB", () => {
  const limit = 9 * MIB

  test("is the largest item, and one byte more is refused after the items before it", async () => {
    const { onLoop, onThread } = await sendGrow(stack.here.env("strict", { payloadMiB: 9 }))
    const ways = [onLoop, onLoop.sync, onThread, onThread.async]
    const fits = limit - TEXT_OVERHEAD
    for (const call of ways) {
      expect(await lengths(call(fits, marks.next()))).toEqual([5, fits, 4])
      const mark = marks.next()
      const items = call(fits + 1, mark)
      expect(await items.next()).toMatchObject({ value: "first" })
      const error = await caught(async () => await items.next())
      expect(error).toMatchObject({ code: "PAYLOAD_TOO_LARGE", ran: "yes" })
      expect(error.message).toContain(
        `an item of the stream takes ${limit + 1} bytes, over the limit of ${limit}`,
      )
      await until(() => isMarked(mark), "the generator's finally")
    }
  }, 30_000)

  test("counts the text over HTTP", async () => {
    await sendGrow(stack.here.env("strict", { payloadMiB: 9 }))
    const path = pathOf("strict", "grow", "/call")
    const said = async (length: number) => {
      const { text } = await ask(stack, "POST", path, { body: { args: [length, marks.next()] } })
      return text.trimEnd().split("\n")
    }
    expect((await said(limit - 2)).map(({ length }) => length)).toEqual([16, limit + 9, 15, 11])
    const [first, end, ...more] = await said(limit - 1)
    expect([first, more]).toEqual(['{"item":"first"}', []])
    expect(JSON.parse(end ?? "")).toMatchObject({ ok: false, error: { code: "PAYLOAD_TOO_LARGE" } })
  })

  test("is the largest item of an argument, and what is larger ends its source", async () => {
    const read = await fn(
      async function read(source: AsyncIterable<string>) {
        const seen: number[] = []
        for await (const item of source) seen.push(item.length)
        return seen
      },
      { name: "read" },
    ).to(stack.here.env("strict", { payloadMiB: 9 }))
    let ended = 0
    async function* texts(length: number) {
      try {
        yield "first"
        yield "x".repeat(length)
        yield "last"
      } finally {
        ended++
      }
    }
    const fits = limit - TEXT_OVERHEAD
    expect(await read(texts(fits))).toEqual([5, fits, 4])
    const error = await caught(read(texts(fits + 1)))
    expect(error).toMatchObject({ code: "PAYLOAD_TOO_LARGE", ran: "yes" })
    expect(error.message).toContain(`an item of the stream takes ${limit + 1} bytes`)
    await until(() => ended === 2, "the source to end")
  })

  test("is 64 unless the env says otherwise, and may be more", async () => {
    const default_ = ENV_PAYLOAD_MIB_DEFAULT * MIB
    const { onLoop } = await sendGrow(stack.here)
    const fits = default_ - TEXT_OVERHEAD
    expect(await lengths(onLoop(fits, marks.next()))).toEqual([5, fits, 4])
    expect((await caught(lengths(onLoop(fits + 1, marks.next())))).code).toBe("PAYLOAD_TOO_LARGE")
    const roomy = await sendGrow(stack.here.env("roomy", { payloadMiB: 100 }))
    expect(await lengths(roomy.onLoop(fits + 1, marks.next()))).toEqual([5, fits + 1, 4])
  }, 30_000)
})
