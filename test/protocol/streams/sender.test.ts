import { describe, expect, test } from "bun:test"
import { BunhouseError } from "../../../protocol/errors.ts"
import { STREAM_BATCH_BYTES } from "../../../protocol/limits.ts"
import { ItemReader } from "../../../protocol/streams/items.ts"
import { type Source, type StreamEnd, StreamSender } from "../../../protocol/streams/sender.ts"
import { Turns } from "../../../protocol/streams/turns.ts"
import { until } from "../../support/until.ts"

const MUCH = { items: 1e6, bytes: 1e9 }

/** A sender whose items are texts, and what came out of it. */
class Lab {
  readonly items: string[] = []
  /** Items of each payload. */
  readonly batches: number[] = []
  readonly ends: StreamEnd[] = []
  readonly sender = new StreamSender({
    turns: new Turns(),
    encode: (item) => {
      if (item === "bad") throw new BunhouseError("VALUE_NOT_SENDABLE", "no")
      return Buffer.from(JSON.stringify(item))
    },
    send: (payload, count) => {
      expect(this.ends).toEqual([])
      const reader = new ItemReader(payload)
      let seen = 0
      while (reader.next()) {
        seen++
        this.items.push(Buffer.from(payload.subarray(reader.start, reader.end)).toString())
      }
      expect(seen).toBe(count)
      this.batches.push(count)
    },
    ended: (end) => void this.ends.push(end),
  })

  async end(): Promise<StreamEnd> {
    await until(() => this.ends.length > 0, "the stream to end")
    await Bun.sleep(1)
    expect(this.ends).toHaveLength(1) // G3
    const [end] = this.ends
    if (end === undefined) throw new Error("expected an end")
    return end
  }
}

function* counted(n: number, log: string[] = []): Generator<number, string> {
  try {
    for (let i = 0; i < n; i++) {
      log.push(`asked ${i}`)
      yield i
    }
    return "end"
  } finally {
    log.push("finally")
  }
}

async function* countedAsync(n: number, log: string[] = []): AsyncGenerator<number, string> {
  return yield* counted(n, log)
}

const kinds: readonly (readonly [string, (n: number, log?: string[]) => Source])[] = [
  ["a generator", counted],
  ["an async generator", countedAsync],
]

describe.each(kinds)("StreamSender of %s", (_, make) => {
  test("sends all items and then the end, in few batches", async () => {
    const lab = new Lab()
    lab.sender.grant(MUCH)
    lab.sender.start(make(3_000))
    expect(await lab.end()).toEqual({ kind: "returned", value: "end" })
    expect(lab.items).toEqual(Array.from({ length: 3_000 }, (_x, i) => String(i)))
    expect(lab.batches.length).toBeLessThan(300)
  })

  test("asks for no item without credit for it (G1)", async () => {
    const lab = new Lab()
    const log: string[] = []
    lab.sender.start(make(10, log))
    await Bun.sleep(5)
    expect(log).toEqual([])
    lab.sender.grant({ items: 2, bytes: 0 })
    await Bun.sleep(5)
    expect(log).toEqual([])
    lab.sender.grant({ items: 0, bytes: 100 })
    await until(() => lab.items.length === 2, "two items")
    expect(log).toEqual(["asked 0", "asked 1"])
    lab.sender.grant(MUCH)
    expect(await lab.end()).toMatchObject({ kind: "returned" })
  })

  test("lets one item overdraw the bytes, and waits until they are back (G1)", async () => {
    const lab = new Lab()
    lab.sender.grant({ items: 100, bytes: 1 })
    lab.sender.start(make(12))
    await until(() => lab.items.length === 1, "one item")
    lab.sender.grant({ items: 0, bytes: 10 })
    await until(() => lab.items.length >= 11, "ten items of one byte, and one of two")
    expect(lab.items).toHaveLength(11)
    lab.sender.stop()
    await lab.end()
  })

  test("stops: sends nothing more, and tells the generator (G4)", async () => {
    const lab = new Lab()
    const log: string[] = []
    lab.sender.grant({ items: 3, bytes: 100 })
    lab.sender.start(make(1e9, log))
    await until(() => lab.items.length === 3, "what was granted")
    lab.sender.stop()
    lab.sender.grant(MUCH)
    lab.sender.stop()
    expect(await lab.end()).toEqual({ kind: "stopped" })
    expect(log.at(-1)).toBe("finally")
    expect(lab.items).toHaveLength(3)
  })

  test("stopped before it starts asks for nothing", async () => {
    const lab = new Lab()
    const log: string[] = []
    lab.sender.stop()
    lab.sender.grant(MUCH)
    lab.sender.start(make(5, log))
    expect(await lab.end()).toEqual({ kind: "stopped" })
    expect(log).toEqual([])
  })
})

describe("StreamSender", () => {
  test("sends the items before an error first", async () => {
    const lab = new Lab()
    lab.sender.grant(MUCH)
    lab.sender.start(
      (async function* () {
        yield 1
        yield 2
        throw new Error("3")
      })(),
    )
    expect(await lab.end()).toMatchObject({ kind: "threw", thrown: new Error("3") })
    expect(lab.items).toEqual(["1", "2"])
  })

  test("ends with an item that cannot be sent, once the generator has ended", async () => {
    const lab = new Lab()
    const log: string[] = []
    lab.sender.grant(MUCH)
    lab.sender.start(
      (async function* () {
        try {
          yield "good"
          yield "bad"
        } finally {
          await Bun.sleep(5)
          log.push("finally")
        }
      })(),
    )
    expect(await lab.end()).toMatchObject({ kind: "failed", error: { code: "VALUE_NOT_SENDABLE" } })
    expect({ items: lab.items, log }).toEqual({ items: ['"good"'], log: ["finally"] })
  })

  test("encodes an item when it is yielded (G2)", async () => {
    const lab = new Lab()
    lab.sender.grant(MUCH)
    lab.sender.start(
      (function* () {
        const point = { x: 0 }
        for (; point.x < 3; point.x++) yield point
      })(),
    )
    await lab.end()
    expect(lab.items).toEqual(['{"x":0}', '{"x":1}', '{"x":2}'])
  })

  test("sends the first item before the generator goes on (G5)", async () => {
    const lab = new Lab()
    const sentAtSecond: number[] = []
    lab.sender.grant(MUCH)
    lab.sender.start(
      (function* () {
        yield 1
        sentAtSecond.push(lab.items.length)
        yield 2
      })(),
    )
    await lab.end()
    expect(sentAtSecond).toEqual([1])
  })

  test("lets a large item travel alone", async () => {
    const lab = new Lab()
    lab.sender.grant(MUCH)
    const large = "x".repeat(STREAM_BATCH_BYTES)
    lab.sender.start(["a", "b", "c", large, "d"].values())
    await lab.end()
    expect(lab.batches).toEqual([1, 2, 1, 1])
  })

  test("keeps no event loop for itself, whoever yields and however many do", async () => {
    const labs = Array.from({ length: 5 }, () => new Lab())
    for (const lab of labs) {
      lab.sender.grant({ items: Infinity, bytes: Infinity })
      lab.sender.start(counted(1e9))
    }
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 0))
    for (const lab of labs) expect(lab.items.length).toBeGreaterThan(0)
    for (const lab of labs) lab.sender.stop()
    for (const lab of labs) expect(await lab.end()).toEqual({ kind: "stopped" })
  })

  test("survives sources that are odd", async () => {
    const sources: readonly (readonly [Source, StreamEnd["kind"]])[] = [
      [{ next: () => ({ done: true, value: 1 }) }, "returned"],
      [{ next: () => Promise.resolve({ done: true, value: 1 }) }, "returned"],
      [{ next: () => Reflect.get({}, "missing") }, "threw"],
      [
        {
          next: () => {
            throw new Error("no")
          },
        },
        "threw",
      ],
      [
        {
          next: () => ({ done: false, value: "bad" }),
          return: () => {
            throw new Error("no return")
          },
        },
        "failed",
      ],
    ]
    for (const [source, kind] of sources) {
      const lab = new Lab()
      lab.sender.grant(MUCH)
      lab.sender.start(source)
      expect((await lab.end()).kind).toBe(kind)
    }
  })
})
