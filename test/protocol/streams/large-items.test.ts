import { describe, expect, test } from "bun:test"
import { array, assert, asyncProperty, constantFrom, integer, record } from "fast-check"
import { PART_BYTES_MAX, PAYLOAD_BYTES_MAX } from "../../../protocol/limits.ts"
import type { Credit } from "../../../protocol/streams/credit.ts"
import { StreamReceiver } from "../../../protocol/streams/receiver.ts"
import { type Source, type StreamEnd, StreamSender } from "../../../protocol/streams/sender.ts"
import { Turns } from "../../../protocol/streams/turns.ts"
import { MIB } from "../../support/memory.ts"
import { noise } from "../../support/noise.ts"
import { until } from "../../support/until.ts"

const LARGE = PAYLOAD_BYTES_MAX + 3 * PART_BYTES_MAX + 1

/** A sender and a receiver of bytes with nothing between them but a turn of the loop. */
class Wire {
  readonly frames: { readonly bytes: number; readonly goesOn: boolean }[] = []
  readonly ends: StreamEnd[] = []
  /** Of items, granted and not used yet; never under 0 by pieces. */
  credit = 0
  creditMin = 0
  isStopped = false
  readonly receiver: StreamReceiver
  readonly sender: StreamSender

  constructor(window: Credit, itemBytesMax = 64 * MIB) {
    this.receiver = new StreamReceiver({
      window,
      itemBytesMax,
      decode: (bytes, start, end) => new Uint8Array(bytes.subarray(start, end)),
      grant: (credit) => this.#grant(credit),
      stop: () => {
        this.isStopped = true
        this.sender.stop()
      },
    })
    this.sender = new StreamSender({
      turns: new Turns(),
      encode: (item) => (item instanceof Uint8Array ? item : new Uint8Array(Number(item))),
      send: (payload, count, goesOn) => {
        this.frames.push({ bytes: payload.length, goesOn })
        this.credit -= payload.length - count * 4
        if (goesOn) this.creditMin = Math.min(this.creditMin, this.credit)
        const copy = new Uint8Array(payload)
        setImmediate(() => this.receiver.push(copy, goesOn))
      },
      ended: (end) => {
        this.ends.push(end)
        setImmediate(() => this.receiver.end({ kind: "returned", value: end.kind }))
      },
    })
    this.#grant(window)
  }

  get sentBytes(): number {
    return this.frames.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  start(source: Source): this {
    this.sender.start(source)
    return this
  }

  next(): Promise<IteratorResult<unknown, unknown>> {
    return this.receiver.next(this)
  }

  async item(): Promise<Uint8Array> {
    const { value } = await this.next()
    if (value instanceof Uint8Array) return value
    throw new Error(`expected an item, got ${String(value)}`)
  }

  #grant(credit: Credit): void {
    this.credit += credit.bytes
    setImmediate(() => this.sender.grant(credit))
  }
}

/** Resolves when nothing more is sent. */
async function atRest(wire: Wire): Promise<void> {
  for (let seen = -1; seen !== wire.frames.length;) {
    seen = wire.frames.length
    await Bun.sleep(10)
  }
}

function isSame(some: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(some, other) === 0
}

const WINDOW = { items: 16, bytes: 4 * MIB }

describe("a large item", () => {
  test("leaves in frames of at most a part, within the credit, and arrives as sent", async () => {
    const items = [noise(3), noise(LARGE), noise(5), noise(LARGE + 1), noise(2)]
    const wire = new Wire(WINDOW).start(items.values())
    for (const item of items) expect(isSame(await wire.item(), item)).toBe(true)
    expect(await wire.next()).toEqual({ done: true, value: "returned" })
    expect(wire.frames.every(({ bytes }) => bytes <= PART_BYTES_MAX + 4)).toBe(true)
    expect(wire.frames.filter(({ goesOn }) => goesOn).length).toBeGreaterThan(2 * 14)
    expect(wire.creditMin).toBe(0)
  })

  test("of any size around the cuts passes any window, between small ones", async () => {
    const sizes = record({ parts: constantFrom(0, 1, 14, 15), more: integer({ min: -5, max: 5 }) })
    const windows = record({
      items: constantFrom(1, 2, 16),
      bytes: constantFrom(1_000_000, PART_BYTES_MAX, 4 * MIB, 9 * MIB),
    })
    await assert(
      asyncProperty(array(sizes, { minLength: 1, maxLength: 4 }), windows, async (list, window) => {
        const items = list.map(({ parts, more }) => {
          return noise(Math.max(0, parts * PART_BYTES_MAX + more))
        })
        const wire = new Wire(window).start(items.values())
        for (const item of items) expect(isSame(await wire.item(), item)).toBe(true)
        expect(await wire.next()).toMatchObject({ done: true })
      }),
      { numRuns: 25 },
    )
  })

  test("that nobody asks for stays within the window, and comes when somebody does (E5)", async () => {
    const wire = new Wire(WINDOW).start([noise(LARGE), noise(LARGE)].values())
    await atRest(wire)
    expect(wire.sentBytes).toBe(WINDOW.bytes + 4)
    expect(isSame(await wire.item(), noise(LARGE))).toBe(true)
    const ahead = LARGE + WINDOW.bytes + 2 * 4
    await until(() => wire.sentBytes >= ahead, "the next item")
    await atRest(wire)
    expect(wire.sentBytes).toBe(ahead)
    expect(isSame(await wire.item(), noise(LARGE))).toBe(true)
    expect(await wire.next()).toMatchObject({ done: true })
  })

  test("does not make the window larger or smaller for what comes after it", async () => {
    const items = [
      ...Array.from({ length: 5 }, () => LARGE),
      ...Array.from({ length: 99 }, () => MIB),
    ]
    const wire = new Wire(WINDOW).start(items.values())
    for (let i = 0; i < 5; i++) await wire.item()
    await atRest(wire)
    const ahead = wire.sentBytes - 5 * LARGE
    expect(ahead).toBeGreaterThanOrEqual(WINDOW.bytes)
    expect(ahead).toBeLessThan(WINDOW.bytes + MIB + 100)
    wire.sender.stop()
  })

  test("is given up in the middle, and so is its generator", async () => {
    const log: string[] = []
    const source = (function* () {
      try {
        yield noise(LARGE)
      } finally {
        log.push("finally")
      }
    })()
    const wire = new Wire(WINDOW).start(source)
    await atRest(wire)
    wire.sender.stop()
    await until(() => wire.ends.length > 0, "the end")
    expect(wire.ends).toEqual([{ kind: "stopped" }])
    expect(log).toEqual(["finally"])
    const { sentBytes } = wire
    wire.sender.grant({ items: 9, bytes: 99 * MIB })
    await atRest(wire)
    expect(wire.sentBytes).toBe(sentBytes)
  })

  test("over the limit of its reader is refused at its first piece, and the sender is told (E6)", async () => {
    const wire = new Wire(WINDOW, LARGE).start([LARGE, LARGE + 1, 1].values())
    expect(await wire.item()).toHaveLength(LARGE)
    const error: unknown = await wire.next().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: "PAYLOAD_TOO_LARGE" })
    expect(String(error)).toContain(`an item of the stream takes ${LARGE + 1} bytes`)
    expect(wire.isStopped).toBe(true)
    expect(await wire.next()).toEqual({ done: true, value: undefined })
  })
})

/** A receiver that hears what a test says. */
function hearing() {
  const said: string[] = []
  const receiver = new StreamReceiver({
    window: WINDOW,
    itemBytesMax: 64 * MIB,
    decode: (bytes, start, end) => new Uint8Array(bytes.subarray(start, end)),
    grant: ({ bytes }) => void said.push(`grant ${bytes}`),
    stop: () => void said.push("stop"),
  })
  const next = () => receiver.next({}).catch((thrown: unknown) => thrown)
  return { receiver, said, next }
}

function firstPiece(length: number, bytes: number): Uint8Array {
  const piece = Buffer.alloc(4 + bytes)
  piece.writeUInt32LE(length)
  return new Uint8Array(piece)
}

describe("StreamReceiver", () => {
  test("takes an end in the middle of an item for none, unless it is an error", async () => {
    for (const isWaiting of [true, false]) {
      const { receiver, next } = hearing()
      const early = isWaiting ? next() : undefined
      receiver.push(firstPiece(LARGE, 10), true)
      receiver.end({ kind: "returned", value: 1 })
      expect(await (early ?? next())).toMatchObject({ code: "PROTOCOL_ERROR" })
      expect(await next()).toEqual({ done: true, value: undefined })
    }
    const { receiver, next } = hearing()
    receiver.push(firstPiece(LARGE, 10), true)
    receiver.end({ kind: "threw", thrown: "lost" })
    expect(await next()).toBe("lost")
  })

  test("refuses pieces that are none, and tells who waits", async () => {
    for (const isWaiting of [true, false]) {
      const { receiver, said, next } = hearing()
      const early = isWaiting ? next() : undefined
      receiver.push(firstPiece(LARGE, 10), true)
      receiver.push(new Uint8Array(20), false)
      expect(await (early ?? next())).toMatchObject({ code: "PROTOCOL_ERROR" })
      expect(said).toEqual(["stop"])
      receiver.push(new Uint8Array(20), false)
      expect(await next()).toEqual({ done: true, value: undefined })
    }
  })

  test("refuses more than it has granted, large or small, and drops it (E6)", async () => {
    const small = hearing()
    for (let sent = 0; sent < 100; sent++) small.receiver.push(firstPiece(MIB, MIB))
    expect(small.said).toEqual(["stop"])
    expect(await small.next()).toMatchObject({ code: "PROTOCOL_ERROR" })
    const large = hearing()
    large.receiver.push(firstPiece(64 * MIB, 0), true)
    for (let sent = 1; sent <= 64; sent++) large.receiver.push(new Uint8Array(MIB), sent < 64)
    expect(large.said).toEqual(["stop"])
    expect(await large.next()).toMatchObject({ code: "PROTOCOL_ERROR" })
  })

  test("grants nothing for pieces when it is closed, and takes none", async () => {
    const { receiver, said, next } = hearing()
    receiver.push(firstPiece(LARGE, 3 * MIB), true)
    receiver.close()
    receiver.push(new Uint8Array(3 * MIB), true)
    expect(await next()).toEqual({ done: true, value: undefined })
    expect(said).toEqual([])
  })
})
