import { describe, expect, test } from "bun:test"
import { FrameFlag, FrameType } from "../../../protocol/frame.ts"
import {
  PARTS_WINDOW_BYTES_MAX,
  PARTS_WINDOW_BYTES_MIN,
  PARTS_WINDOWS_BYTES_TARGET,
} from "../../../protocol/limits.ts"
import { FrameAssembly } from "../../../protocol/parts/frame-assembly.ts"
import type { Part } from "../../../protocol/parts/part.ts"
import { PartSender } from "../../../protocol/parts/part-sender.ts"
import { refusal } from "../../support/sent.ts"

const HEAD = {
  type: FrameType.call,
  flags: FrameFlag.logs | FrameFlag.parts,
  id: 5,
  target: 6,
  timeoutMs: 7,
  serial: 8,
}

function assembly(more: { bytesMax?: number; others?: number; extra?: string } = {}) {
  const grants: number[] = []
  const { bytesMax = 64 * 1024 * 1024, others = 0, extra = "" } = more
  const made = new FrameAssembly({
    extra: Buffer.from(extra),
    bytesMax,
    others: () => others,
    grant: (bytes) => grants.push(bytes),
  })
  return { made, grants, granted: () => grants.reduce((sum, bytes) => sum + bytes, 0) }
}

function part(at: number, total: number, bytes: number): Part {
  return { at, total, bytes: new Uint8Array(bytes) }
}

function firstGrant(others: number): number | undefined {
  const { made, grants } = assembly({ others })
  made.grant()
  return grants[0]
}

describe("FrameAssembly", () => {
  test("makes the frame that would have been sent as one, from a sender under its credit", () => {
    const payload = Buffer.alloc(11_000_001, crypto.getRandomValues(new Uint8Array(65_521)))
    const { made, granted } = assembly({ extra: "{}" })
    let isOver = false
    let onTheWay = 0
    let most = 0
    const sender = new PartSender(payload, (sent) => {
      onTheWay += sent.bytes.length
      most = Math.max(most, onTheWay)
      queued.push(sent)
    })
    const queued: Part[] = []
    made.grant()
    for (let given = 0; !isOver;) {
      sender.grant(granted() - given)
      given = granted()
      const next = queued.shift()
      if (next === undefined) throw new Error("both wait for each other")
      onTheWay -= next.bytes.length
      isOver = made.add(next)
    }
    expect(sender.isComplete).toBe(true)
    expect(granted()).toBe(payload.length)
    expect(most).toBeLessThanOrEqual(PARTS_WINDOW_BYTES_MAX)
    const frame = made.finish(HEAD)
    expect(frame).toMatchObject({ ...HEAD, flags: FrameFlag.logs })
    expect(Buffer.from(frame.extra).toString()).toBe("{}")
    expect(Buffer.compare(frame.payload, payload)).toBe(0)
    expect(frame.isAlone).toBe(true)
  })

  test("has the smaller a window, the more arrive at the same time (A2)", () => {
    expect(firstGrant(0)).toBe(PARTS_WINDOW_BYTES_MAX)
    expect(firstGrant(7)).toBe(PARTS_WINDOWS_BYTES_TARGET / 8)
    expect(firstGrant(10_000)).toBe(PARTS_WINDOW_BYTES_MIN)
  })

  test("grants no more than there is", () => {
    const { made, granted } = assembly()
    made.add(part(0, 1_000, 0))
    expect(granted()).toBe(1_000)
    expect(made.add(part(0, 1_000, 1_000))).toBe(true)
    expect(granted()).toBe(1_000)
  })

  test("refuses parts that do not follow each other, or are of another payload (A1)", () => {
    const wrong: readonly Part[] = [
      part(0, 100, 10), // again
      part(11, 100, 10), // a gap
      part(10, 100, 91), // beyond the end
      part(10, 99, 10), // of another payload
    ]
    for (const next of wrong) {
      const { made } = assembly()
      made.add(part(0, 100, 10))
      refusal("PROTOCOL_ERROR", () => made.add(next))
    }
  })

  test("refuses more than it may hold before it holds any of it", () => {
    const { made } = assembly({ bytesMax: 1_000 })
    refusal("PAYLOAD_TOO_LARGE", () => made.add(part(0, 1_001, 0)))
    refusal("PAYLOAD_TOO_LARGE", () => made.add(part(0, 0xffff_ffff, 0)))
  })

  test("makes no frame of a payload that is not complete", () => {
    const { made } = assembly()
    refusal("PROTOCOL_ERROR", () => made.finish(HEAD))
    made.add(part(0, 100, 99))
    refusal("PROTOCOL_ERROR", () => made.finish(HEAD))
  })
})

describe("PartSender", () => {
  test("sends nothing without credit, and no more than was granted", () => {
    const sent: Part[] = []
    const sender = new PartSender(new Uint8Array(1_000), (next) => sent.push(next))
    sender.announce()
    expect(sent.map(({ at, total, bytes }) => [at, total, bytes.length])).toEqual([[0, 1_000, 0]])
    sender.grant(300)
    sender.grant(300)
    expect(sent.slice(1).map(({ at, bytes }) => [at, bytes.length])).toEqual([
      [0, 300],
      [300, 300],
    ])
    expect(sender.isComplete).toBe(false)
    sender.grant(0xffff_ffff)
    expect(sender.isComplete).toBe(true)
    expect(sent.at(-1)?.bytes).toHaveLength(400)
  })
})
