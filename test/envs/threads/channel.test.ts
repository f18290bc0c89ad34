import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { alone, Channel, channelEnds } from "../../../envs/threads/channel.ts"
import { ENTRIES_MAX } from "../../../envs/threads/ring.ts"
import { FrameType, FrameWriter } from "../../../protocol/frame.ts"
import { batchOf, standingOn } from "../../support/frames.ts"
import { until } from "../../support/until.ts"

let near: Channel
let far: Channel
let wakes = 0
/** Ids and lengths of what has arrived at the far end. */
let arrived: [id: number, length: number][] = []

beforeEach(() => {
  wakes = 0
  arrived = []
  const [one, other] = channelEnds()
  const woken = () => {
    wakes++
    read()
  }
  near = new Channel(one, { wakeOther: () => setImmediate(woken), onLarge: () => {} })
  far = new Channel(other, { wakeOther: () => {}, onLarge: woken })
  far.sleep()
})
afterEach(() => {
  near.close()
  far.close()
})

function read(): void {
  do {
    while (far.next()) {
      arrived.push([far.frame.id, far.frame.payload.length])
      far.pass()
    }
  } while (!far.sleep())
}

function send(id: number, length: number): number {
  return near.send(batchOf(FrameType.call, { id, payload: new Uint8Array(length).fill(id) }))
}

const LARGE = 100_000

describe("Channel", () => {
  test("wakes an end that sleeps, and sends one that is awake no message (N2)", async () => {
    send(1, 10)
    await until(() => arrived.length === 1, "the first frame")
    expect(wakes).toBe(1)
    far.next() // awake from here on
    for (let id = 2; id < 100; id++) send(id, 10)
    await until(() => arrived.length === 99, "the others")
    expect(wakes).toBe(2)
  })

  test("keeps the order of large and small frames (N1)", async () => {
    const lengths = Array.from({ length: 60 }, (_, i) => (i % 3 === 1 ? LARGE + i : i))
    for (const [id, length] of lengths.entries()) send(id, length)
    await until(() => arrived.length === 60, "all frames")
    expect(arrived).toEqual(lengths.map((length, id) => [id, length]))
  })

  test("sends by message what the ring has no room for", async () => {
    // Nothing is read meanwhile: 200 frames of 4,000 bytes are more than a ring holds.
    for (let id = 0; id < 200; id++) send(id, 4_000)
    await until(() => arrived.length === 200, "all frames")
    expect(arrived.map(([id]) => id)).toEqual(Array.from({ length: 200 }, (_, i) => i))
  })

  test("does not give out what was taken back, large or small", async () => {
    const positions = [send(0, 10), send(1, LARGE), send(2, 10), send(3, LARGE), send(4, 10)]
    for (const id of [1, 2, 4]) expect(near.revoke(positions[id] ?? 0)).toBe(true)
    await until(() => arrived.length === 2, "the rest")
    expect(arrived).toEqual([
      [0, 10],
      [3, LARGE],
    ])
    expect(near.revoke(positions[0] ?? 0)).toBe(false)
    send(5, 10)
    await until(() => arrived.length === 3, "a later frame")
    expect(near.isPassed).toBe(true)
  })

  test("sends a very large frame again without copying it, and hands it out as own bytes", async () => {
    const payload = new Uint8Array(20 * LARGE).fill(9)
    const batch = alone(standingOn(batchOf(FrameType.call, { id: 1, payload })))
    expect(batch.buffer).toBeInstanceOf(SharedArrayBuffer)
    near.revoke(near.send(batch))
    near.send(batch)
    await until(() => arrived.length === 1, "the frame")
    expect(arrived).toEqual([[1, 20 * LARGE]])
    expect(far.frame.bytes.buffer).toBeInstanceOf(ArrayBuffer)
    expect(far.frame.payload.every((byte) => byte === 9)).toBe(true)
    expect(batch).toHaveLength(20 * LARGE + 28)
  })

  test("put() empties the writer, wakes nobody, and is found by an end that is awake (N2)", async () => {
    const writer = new FrameWriter()
    for (const [id, length] of [
      [1, 10],
      [2, LARGE],
      [3, 10],
    ] as const) {
      writer.write(FrameType.reply, 0, id, 0, 0, 0, new Uint8Array(length))
      near.put(writer)
      expect(writer.isEmpty).toBe(true)
    }
    expect(wakes).toBe(0)
    near.wake()
    await until(() => arrived.length === 3, "all frames")
    expect(arrived).toEqual([
      [1, 10],
      [2, LARGE],
      [3, 10],
    ])
  })

  test("sendIfRoom() sends nothing where others could want the room", async () => {
    const writer = new FrameWriter()
    const report = (others: number) => {
      writer.write(FrameType.progress, 0, 1, 0, 0, 0)
      return near.sendIfRoom(writer, others)
    }
    expect(report(ENTRIES_MAX)).toBe(false)
    expect(writer.isEmpty).toBe(true)
    expect(report(ENTRIES_MAX - 1)).toBe(true)
    await until(() => arrived.length === 1, "the one")
    await Bun.sleep(10)
    expect(arrived).toEqual([[1, 0]])
  })

  test("alone() is a batch of the one frame, whatever stood around it", () => {
    const frame = standingOn(batchOf(FrameType.call, { id: 7, payload: "seven" }))
    const batch = alone(frame)
    expect(standingOn(batch)).toMatchObject({ id: 7, type: FrameType.call })
    expect(Buffer.from(standingOn(batch).payload).toString()).toBe("seven")
  })
})
