import { describe, expect, test } from "bun:test"
import type { Credit } from "../../../protocol/streams/credit.ts"
import { ItemStream } from "../../../protocol/streams/item-stream.ts"
import { ItemWriter } from "../../../protocol/streams/items.ts"
import { StreamReceiver } from "../../../protocol/streams/receiver.ts"

/** A receiver of texts, and what it asked of the other side. */
function setUp(window: Credit = { items: 4, bytes: 1_000 }) {
  const granted: Credit[] = []
  const said: string[] = []
  const receiver = new StreamReceiver({
    window,
    itemBytesMax: 20 << 20,
    decode: (bytes, start, end) => {
      const text = Buffer.from(bytes.subarray(start, end)).toString()
      if (text === "bad") throw new Error("cannot be read")
      return text
    },
    grant: (credit) => void granted.push(credit),
    stop: () => void said.push("stop"),
  })
  const push = (...items: readonly string[]) => receiver.push(payloadOf(...items))
  const next = async () => {
    const { done, value } = await receiver.next({})
    return done ? { value } : value
  }
  return { receiver, granted, said, push, next }
}

function payloadOf(...items: readonly string[]): Uint8Array {
  const writer = new ItemWriter()
  for (const item of items) writer.add(Buffer.from(item))
  return new Uint8Array(writer.take())
}

describe("StreamReceiver", () => {
  test("gives items in order, and the end after them (E1)", async () => {
    const { receiver, push, next } = setUp()
    push("a", "b")
    push("c")
    receiver.end({ kind: "returned", value: "end" })
    expect([await next(), await next(), await next(), await next(), await next()]).toEqual([
      "a",
      "b",
      "c",
      { value: "end" },
      { value: undefined },
    ])
  })

  test("keeps its order with readers that wait, and with readers that come later", async () => {
    const { receiver, push, next } = setUp()
    const waiting = [next(), next(), next()]
    push("a")
    push("b", "c", "d")
    waiting.push(next(), next(), next())
    receiver.end({ kind: "returned", value: 1 })
    expect(await Promise.all(waiting)).toEqual([
      "a",
      "b",
      "c",
      "d",
      { value: 1 },
      { value: undefined },
    ])
  })

  test("throws once, after the items (E3)", async () => {
    const { receiver, push, next } = setUp()
    const error = new Error("end")
    push("a")
    receiver.end({ kind: "threw", thrown: error })
    receiver.end({ kind: "returned", value: "late" })
    expect(await next()).toBe("a")
    expect(await next().catch((thrown: unknown) => thrown)).toBe(error)
    expect(await next()).toEqual({ value: undefined })
  })

  test("throws a falsy value as well", async () => {
    const { receiver } = setUp()
    const waiting = receiver.next({}).catch((thrown: unknown) => [thrown])
    receiver.end({ kind: "threw", thrown: undefined })
    expect(await waiting).toEqual([undefined])
  })

  test("grants what was taken, half a window at a time (E2)", async () => {
    const { granted, push, next } = setUp({ items: 4, bytes: 1_000 })
    push("a", "b", "c", "d")
    expect(granted).toEqual([])
    await next()
    expect(granted).toEqual([])
    await next()
    expect(granted).toEqual([{ items: 2, bytes: 2 }])
    await next()
    await next()
    expect(granted).toHaveLength(2)
  })

  test("grants by bytes, too, and each item where the window holds one", async () => {
    const large = "x".repeat(600)
    const byBytes = setUp({ items: 100, bytes: 1_000 })
    byBytes.push(large)
    await byBytes.next()
    expect(byBytes.granted).toEqual([{ items: 1, bytes: 600 }])
    const single = setUp({ items: 1, bytes: 1_000 })
    single.push("a")
    await single.next()
    expect(single.granted).toEqual([{ items: 1, bytes: 1 }])
  })

  test("grants nothing once the end is known", async () => {
    const { receiver, granted, push, next } = setUp()
    push("a", "b", "c", "d")
    receiver.end({ kind: "returned", value: 1 })
    await next()
    await next()
    expect(granted).toEqual([])
  })

  test("closed drops what it has and lets go who waits", async () => {
    const { receiver, push, next } = setUp()
    const waiting = next()
    receiver.close()
    expect(await waiting).toEqual({ value: undefined })
    push("a")
    receiver.end({ kind: "threw", thrown: new Error("late") })
    expect(await next()).toEqual({ value: undefined })
  })

  test("ends where an item cannot be read, and tells the sender", async () => {
    for (const isWaiting of [true, false]) {
      const { said, push, next } = setUp()
      const early = isWaiting ? [next(), next()] : []
      push("a", "bad", "b")
      const [first, second] = isWaiting ? early : [next(), next()]
      expect(await first).toBe("a")
      expect(await second?.catch((error: unknown) => error)).toEqual(new Error("cannot be read"))
      expect(await next()).toEqual({ value: undefined })
      expect(said).toEqual(["stop"])
    }
  })

  test("ends where items are cut short", async () => {
    const { receiver, said, next } = setUp()
    receiver.push(payloadOf("abc").slice(0, 5))
    expect(await next().catch((error: unknown) => error)).toMatchObject({ code: "PROTOCOL_ERROR" })
    expect(said).toEqual(["stop"])
  })

  test("takes many payloads at the price of each", async () => {
    const { receiver, push, next } = setUp({ items: 1e6, bytes: 1e9 })
    for (let i = 0; i < 50_000; i++) push(String(i))
    receiver.end({ kind: "returned", value: "end" })
    for (let i = 0; i < 50_000; i++) if ((await next()) !== String(i)) throw new Error(`at ${i}`)
    expect(await next()).toEqual({ value: "end" })
  })
})

function stream() {
  const parts = setUp()
  const said: string[] = []
  const items = new ItemStream({
    receiver: parts.receiver,
    begin: () => void said.push("begin"),
    stop: () => void said.push("stop"),
  })
  return { ...parts, said, items }
}

describe("ItemStream", () => {
  test("begins with the first next, once", async () => {
    const { said, items, push } = stream()
    expect(said).toEqual([])
    push("a", "b")
    await items.next()
    await items.next()
    expect(said).toEqual(["begin"])
  })

  test("stops only what was begun and has not ended", async () => {
    const unread = stream()
    await unread.items.return()
    expect(unread.said).toEqual([])
    const ended = stream()
    const last = ended.items.next()
    ended.receiver.end({ kind: "returned", value: 1 })
    await last
    await ended.items.return()
    expect(ended.said).toEqual(["begin"])
    const open = stream()
    const waiting = open.items.next()
    await open.items.return()
    await open.items.return()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(open.said).toEqual(["begin", "stop"])
  })

  test("returns what return was given, and throws what throw was given", async () => {
    const { items } = stream()
    expect(await items.return(Promise.resolve(5))).toEqual({ done: true, value: 5 })
    const mine = new Error("mine")
    expect(await items.throw(mine).catch((error: unknown) => error)).toBe(mine)
    expect(await items.next()).toEqual({ done: true, value: undefined })
  })

  test("is an async generator to whoever asks", () => {
    const { items } = stream()
    expect(items[Symbol.asyncIterator]()).toBe(items)
    expect(Object.prototype.toString.call(items)).toBe("[object AsyncGenerator]")
  })
})
