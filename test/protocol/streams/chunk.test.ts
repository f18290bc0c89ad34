import { describe, expect, test } from "bun:test"
import { FrameFlag, FrameReader, FrameType, FrameWriter } from "../../../protocol/frame.ts"
import { BODY_BYTES_MAX, PAYLOAD_BYTES_MAX } from "../../../protocol/limits.ts"
import { ChunkBuffer, type Taken } from "../../../protocol/streams/chunk.ts"
import { ItemWriter } from "../../../protocol/streams/items.ts"
import { CutItem } from "../../../protocol/streams/pieces.ts"
import { batchOf, standingOn } from "../../support/frames.ts"
import { MIB } from "../../support/memory.ts"
import { noise } from "../../support/noise.ts"

const WINDOW = 4 * MIB

function itemsFrame(payload: Uint8Array, count: number, goesOn = false) {
  const flags = goesOn ? FrameFlag.goesOn : 0
  return standingOn(batchOf(FrameType.items, { payload, timeoutMs: count, flags }))
}

function whole(...items: readonly Uint8Array[]): Uint8Array {
  const writer = new ItemWriter()
  for (const item of items) writer.add(item)
  return new Uint8Array(writer.take())
}

function firstPiece(): Uint8Array {
  return new CutItem(noise(PAYLOAD_BYTES_MAX + 1)).take(10)
}

/** The next chunk: what it grants, and what its items frame holds. */
function taken(buffer: ChunkBuffer) {
  const writer = new FrameWriter()
  const { credit, isLast }: Taken = buffer.take(writer, 1)
  const frame = new FrameReader()
  frame.open(writer.take())
  const hasItems = frame.next() && frame.type === FrameType.items
  const bytes = hasItems ? frame.payload.length : 0
  const goesOn = hasItems && (frame.flags & FrameFlag.goesOn) !== 0
  return { credit, isLast, bytes, goesOn }
}

async function isFilled(buffer: ChunkBuffer): Promise<boolean> {
  return Promise.race([buffer.filled().then(() => true), Bun.sleep(5).then(() => false)])
}

describe("ChunkBuffer", () => {
  test("hands out pieces half a window at a time, and grants each byte of an item once (Q1)", async () => {
    const buffer = new ChunkBuffer(WINDOW)
    const cut = new CutItem(noise(PAYLOAD_BYTES_MAX + 1))
    buffer.add(itemsFrame(whole(noise(5)), 1))
    buffer.add(itemsFrame(cut.take(MIB), 1, true))
    expect(await isFilled(buffer)).toBe(false)
    buffer.add(itemsFrame(cut.take(MIB), 0, true))
    expect(await isFilled(buffer)).toBe(true)
    expect(taken(buffer)).toEqual({
      credit: { items: 2, bytes: 2 * MIB + 5 },
      isLast: false,
      bytes: 2 * MIB + 4 + 5 + 4,
      goesOn: true,
    })
    expect(await isFilled(buffer)).toBe(false)
    const { left } = cut
    buffer.add(itemsFrame(cut.take(left), 0))
    expect(await isFilled(buffer)).toBe(true)
    const credit = { items: 0, bytes: left }
    expect(taken(buffer)).toEqual({ credit, isLast: false, bytes: left, goesOn: false })
  })

  test("hands out any piece where nobody said how much was granted, and what there is at the end", async () => {
    const eager = new ChunkBuffer()
    eager.add(itemsFrame(firstPiece(), 1, true))
    expect(await isFilled(eager)).toBe(true)
    taken(eager)
    expect(await isFilled(eager)).toBe(false)
    const ended = new ChunkBuffer(WINDOW)
    ended.add(itemsFrame(firstPiece(), 1, true))
    ended.end(standingOn(batchOf(FrameType.error, { payload: "{}" })), 3)
    expect(await isFilled(ended)).toBe(true)
    expect(taken(ended)).toMatchObject({ bytes: 14, goesOn: true, isLast: true })
  })

  test("says when there is more than any window allows", () => {
    const buffer = new ChunkBuffer(WINDOW)
    const piece = new Uint8Array(MIB)
    let pieces = 0
    while (buffer.add(itemsFrame(piece, 0, true))) pieces++
    expect(pieces * MIB).toBe(BODY_BYTES_MAX - MIB)
  })
})
