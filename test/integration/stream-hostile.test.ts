import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { encodeArgs, encodeItem } from "../../protocol/codec/index.ts"
import { FrameFlag, FrameType } from "../../protocol/frame.ts"
import { ItemWriter } from "../../protocol/streams/items.ts"
import { batchOf, joined, type SeenFrame } from "../support/frames.ts"
import { randomFrom } from "../support/random.ts"
import { RawClient } from "../support/raw-client.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** Clients that say of streams what they may not, or cannot know. Nobody else notices, and nothing is left behind. */
let stack: Stack
beforeAll(async () => {
  stack = await startStack()
  await fn(
    async function* (n: number) {
      for (let i = 0; i < n; i++) yield i
      return "end"
    },
    { name: "count" },
  ).to(stack.here)
  await fn(
    async (source: AsyncIterable<unknown>) => {
      let seen = 0
      for await (const _ of source) seen++
      return seen
    },
    { name: "read" },
  ).to(stack.here)
})
afterAll(async () => {
  await until(async () => (await stack.here.status()).callsInFlight === 0, "all calls to end")
  expect((await stack.here.status()).pid).toBe(stack.pid)
  expect(await stack.log()).not.toContain("uncaught")
  await stack[Symbol.asyncDispose]()
})

const MOST = 0xffff_ffff

function credit(id: number, items: number, bytes: number, stream = 0, flags = 0) {
  return batchOf(FrameType.credit, { id, target: items, timeoutMs: bytes, serial: stream, flags })
}

function itemsOf(...values: readonly unknown[]): Uint8Array {
  const writer = new ItemWriter()
  for (const value of values) writer.add(encodeItem(value))
  return new Uint8Array(writer.take())
}

function countCall(id: number, n: number): Uint8Array<ArrayBuffer> {
  const payload = encodeArgs([n])
  return batchOf(FrameType.call, {
    id,
    target: 1,
    timeoutMs: 10_000,
    flags: FrameFlag.stream,
    payload,
  })
}

/** A call whose first argument is a stream. */
function readCall(id: number, places: unknown = [0]): Uint8Array<ArrayBuffer> {
  const flags = FrameFlag.streamedArguments
  const payload = encodeArgs([null, places])
  return batchOf(FrameType.call, { id, target: 2, timeoutMs: 3_000, flags, payload })
}

async function client(): Promise<RawClient> {
  const raw = await RawClient.connect(stack)
  raw.bind("default", "count", 1)
  raw.bind("default", "read", 2)
  return raw
}

function isEnd({ type }: SeenFrame): boolean {
  return type === FrameType.reply || type === FrameType.error
}

function ended(raw: RawClient, id: number): Promise<SeenFrame> {
  return until(
    () => raw.frames.find((frame) => frame.id === id && isEnd(frame)),
    `the end of call ${id}`,
  )
}

function itemsSeen(raw: RawClient, id: number): number {
  return raw.frames
    .filter((frame) => frame.type === FrameType.items && frame.id === id)
    .reduce((sum, { timeoutMs }) => sum + timeoutMs, 0)
}

describe("a client", () => {
  test("that sends items and credit for calls that are not there is passed over", async () => {
    const raw = await client()
    const random = randomFrom(1)
    for (let i = 0; i < 100; i++) {
      const id = Math.floor(random() * MOST)
      raw.send(credit(id, MOST, MOST, Math.floor(random() * 100), i % 2 === 0 ? FrameFlag.last : 0))
      raw.send(batchOf(FrameType.items, { id, target: i, payload: itemsOf(i) }))
    }
    raw.send(joined(countCall(1, 3), credit(1, 100, 10_000)))
    expect((await ended(raw, 1)).type).toBe(FrameType.reply)
    expect(itemsSeen(raw, 1)).toBe(3)
    // Of a call that has ended, too.
    raw.send(joined(credit(1, 5, 5), batchOf(FrameType.items, { id: 1, payload: itemsOf(1) })))
    raw.send(joined(countCall(2, 1), credit(2, 100, 10_000)))
    await ended(raw, 2)
    raw.close()
  })

  test("that grants more than any number gets all of the stream, once", async () => {
    const raw = await client()
    raw.send(
      joined(countCall(1, 5_000), ...Array.from({ length: 50 }, () => credit(1, MOST, MOST))),
    )
    expect((await ended(raw, 1)).type).toBe(FrameType.reply)
    expect(itemsSeen(raw, 1)).toBe(5_000)
    raw.close()
  })

  test("that grants one at a time, nothing, or no bytes gets exactly that", async () => {
    const raw = await client()
    raw.send(joined(countCall(1, 5), credit(1, 0, MOST), credit(1, MOST, 0, 3)))
    raw.send(joined(countCall(2, 5), credit(2, MOST, 0)))
    for (let granted = 1; granted <= 3; granted++) {
      raw.send(credit(1, 1, 0))
      await until(() => itemsSeen(raw, 1) === granted, `${granted} items`)
    }
    expect(itemsSeen(raw, 2)).toBe(0)
    raw.send(credit(2, 0, 1))
    await until(() => itemsSeen(raw, 2) === 1, "the item that overdraws the credit")
    raw.send(credit(2, 0, MOST))
    expect((await ended(raw, 2)).type).toBe(FrameType.reply)
    raw.send(batchOf(FrameType.cancel, { id: 1 }))
    await until(async () => (await stack.here.status()).callsInFlight === 0, "call 1 to end")
    expect(itemsSeen(raw, 1)).toBe(3)
    raw.close()
  })

  test("that grants while the call waits for its place is not forgotten", async () => {
    const env = stack.here.env("narrow", { concurrency: 1 })
    const hold = await fn(async function hold(mark: string) {
      while (!(await Bun.file(mark).exists())) await Bun.sleep(5)
    }).to(env)
    await fn(
      async function* (n: number) {
        for (let i = 0; i < n; i++) yield i
      },
      { name: "count" },
    ).to(env)
    const mark = `${stack.home}/release-narrow`
    const holding = hold(mark)
    await until(async () => (await env.status())?.running === 1, "the place to be taken")
    const raw = await RawClient.connect(stack)
    raw.bind("narrow", "count", 1)
    raw.send(joined(countCall(1, 10), credit(1, 2, 100)))
    raw.send(credit(1, 3, 100))
    raw.send(batchOf(FrameType.items, { id: 1, target: 1, payload: itemsOf(1) }))
    await until(async () => (await env.status())?.queued === 1, "the call to wait")
    await Bun.write(mark, "")
    await holding
    await until(() => itemsSeen(raw, 1) === 5, "what was granted")
    raw.close()
  })

  test("that lies about its streams fails its own call", async () => {
    const raw = await client()
    const places: readonly unknown[] = [
      null,
      "0",
      [1],
      [-1],
      [0.5],
      ["0"],
      [null],
      Array.from({ length: 1_000 }, () => 0),
    ]
    for (const [index, place] of places.entries()) {
      raw.send(readCall(index + 1, place))
      const { type, flags, text } = await ended(raw, index + 1)
      expect({ type, flags }).toEqual({ type: FrameType.error, flags: 0 })
      expect(text).toContain("PROTOCOL_ERROR")
    }
    raw.close()
  })

  test("that sends items cut short, of no stream, or without credit harms nobody", async () => {
    const raw = await client()
    const good = itemsOf("a", "b")
    const cut = good.slice(0, good.length - 1)
    raw.send(readCall(1))
    raw.send(readCall(2))
    const granted = () => raw.frames.filter(({ type }) => type === FrameType.credit).length
    await until(() => granted() === 2, "the function to ask for items")
    raw.send(batchOf(FrameType.items, { id: 1, target: 1, payload: cut }))
    const { type, flags } = await ended(raw, 1)
    expect({ type, flags }).toEqual({ type: FrameType.error, flags: FrameFlag.thrown })
    for (const target of [0, 2, MOST]) {
      raw.send(batchOf(FrameType.items, { id: 2, target, payload: good }))
    }
    raw.send(batchOf(FrameType.items, { id: 2, target: 1, payload: good }))
    raw.send(batchOf(FrameType.items, { id: 2, target: 1, flags: FrameFlag.last }))
    const reply = await until(
      () => raw.frames.find(({ id, type: t }) => id === 2 && t === FrameType.reply),
      "the reply",
    )
    expect(reply.timeoutMs).toBe(0)
    raw.close()
  })
})
