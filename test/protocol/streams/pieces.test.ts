import { describe, expect, test } from "bun:test"
import { array, assert, boolean, constantFrom, integer, property, record } from "fast-check"
import { PART_BYTES_MAX, PAYLOAD_BYTES_MAX } from "../../../protocol/limits.ts"
import { ItemJoiner } from "../../../protocol/streams/item-joiner.ts"
import { ItemReader, ItemWriter } from "../../../protocol/streams/items.ts"
import { CutItem, PieceReader } from "../../../protocol/streams/pieces.ts"
import { noise } from "../../support/noise.ts"
import { refusal } from "../../support/sent.ts"

interface Frame {
  readonly payload: Uint8Array
  readonly goesOn: boolean
}

const ITEM_BYTES_MAX = PAYLOAD_BYTES_MAX + 4 * PART_BYTES_MAX

function framesOf(items: readonly Uint8Array[], pieceBytes = PART_BYTES_MAX): Frame[] {
  return items.flatMap((item) => {
    if (item.length <= PAYLOAD_BYTES_MAX) return [{ payload: payloadOf(item), goesOn: false }]
    const cut = new CutItem(item)
    const frames: Frame[] = []
    while (cut.left > 0) frames.push({ payload: cut.take(pieceBytes), goesOn: cut.left > 0 })
    return frames
  })
}

/** As forwarders may join them: `isJoined` says of each frame whether it goes with the one before. */
function joined(frames: readonly Frame[], isJoined: readonly boolean[]): Frame[] {
  const groups: Frame[][] = []
  for (const [index, frame] of frames.entries()) {
    const last = groups.at(-1)
    if (last !== undefined && isJoined[index % isJoined.length]) last.push(frame)
    else groups.push([frame])
  }
  return groups.map((group) => ({
    payload: Buffer.concat(group.map(({ payload }) => payload)),
    goesOn: group.at(-1)?.goesOn === true,
  }))
}

function payloadOf(...items: readonly Uint8Array[]): Uint8Array {
  const writer = new ItemWriter()
  for (const item of items) writer.add(item)
  return new Uint8Array(writer.take())
}

function itemsIn(payloads: readonly Uint8Array[]): Uint8Array[] {
  return payloads.flatMap((payload) => {
    const reader = new ItemReader(payload)
    const items: Uint8Array[] = []
    while (reader.next()) items.push(payload.subarray(reader.start, reader.end))
    return items
  })
}

function received(frames: readonly Frame[], joiner = new ItemJoiner(ITEM_BYTES_MAX)) {
  return itemsIn(frames.flatMap(({ payload, goesOn }) => joiner.add(payload, goesOn)))
}

function areSame(some: readonly Uint8Array[], others: readonly Uint8Array[]): boolean {
  return (
    some.length === others.length &&
    some.every((item, index) => Buffer.compare(item, others[index] ?? item.subarray(1)) === 0)
  )
}

describe("items in pieces", () => {
  const aroundCuts = record({
    parts: constantFrom(0, 1, 13, 14, 15, 17),
    more: integer({ min: -5, max: 5 }),
  }).map(({ parts, more }) => Math.max(0, parts * PART_BYTES_MAX + more))

  test("of random sizes around the cuts arrive as sent, however their frames are joined", () => {
    assert(
      property(
        array(aroundCuts, { maxLength: 4 }),
        array(boolean(), { minLength: 1, maxLength: 9 }),
        constantFrom(PART_BYTES_MAX, PART_BYTES_MAX - 4, 300_001),
        (sizes, isJoined, pieceBytes) => {
          const items = sizes.map((size) => noise(size))
          const frames = joined(framesOf(items, pieceBytes), isJoined)
          expect(areSame(received(frames), items)).toBe(true)
        },
      ),
      { numRuns: 40 },
    )
  })

  test("are copied out of their frames, and only one is held before it is whole (J1)", () => {
    const joiner = new ItemJoiner(ITEM_BYTES_MAX)
    const [first, second] = framesOf([noise(PAYLOAD_BYTES_MAX + 1)])
    if (first === undefined || second === undefined) throw new Error("expected two frames")
    expect(joiner.open).toBeUndefined()
    expect(joiner.add(first.payload, true)).toEqual([])
    expect(joiner.open).toMatchObject({ length: PAYLOAD_BYTES_MAX + 1, arrived: PART_BYTES_MAX })
    expect(joiner.open?.payload.buffer).not.toBe(first.payload.buffer)
    joiner.add(second.payload, true)
    expect(joiner.open).toMatchObject({ arrived: 2 * PART_BYTES_MAX })
  })
})

function refused(...said: readonly (Frame | undefined)[]) {
  return refusal("PROTOCOL_ERROR", () => {
    const joiner = new ItemJoiner(ITEM_BYTES_MAX)
    for (const frame of said) if (frame !== undefined) joiner.add(frame.payload, frame.goesOn)
    joiner.finish()
  })
}

describe("ItemJoiner refuses", () => {
  const large = noise(PAYLOAD_BYTES_MAX + 10)
  const frames = framesOf([large])
  const [first] = frames

  test("an item whose last piece is missing", () => {
    refused(...frames.slice(0, -1))
    refused(first, { payload: new Uint8Array(0), goesOn: false })
    refused(first, { payload: payloadOf(noise(3)), goesOn: false })
  })

  test("an item that says that it goes on, and does not", () => {
    refused(...frames.slice(0, -1), { payload: frames.at(-1)?.payload ?? noise(1), goesOn: true })
    refused({ payload: payloadOf(noise(3)), goesOn: true })
    refused({ payload: new Uint8Array(0), goesOn: true })
  })

  test("a length that is cut short", () => {
    for (const bytes of [1, 2, 3]) {
      refused({ payload: new Uint8Array(bytes), goesOn: true })
      refused(...frames.slice(0, -1), {
        payload: Buffer.concat([frames.at(-1)?.payload ?? noise(1), new Uint8Array(bytes)]),
        goesOn: true,
      })
    }
  })

  test("pieces of what would fit a frame (J2)", () => {
    const small = new CutItem(noise(PAYLOAD_BYTES_MAX))
    refused({ payload: small.take(PART_BYTES_MAX), goesOn: true })
  })

  test("an item over the limit at its first piece, and none at the limit", () => {
    const joiner = () => new ItemJoiner(ITEM_BYTES_MAX)
    const [least] = received(framesOf([noise(ITEM_BYTES_MAX)]), joiner())
    expect(least).toHaveLength(ITEM_BYTES_MAX)
    const [tooMuch] = framesOf([noise(ITEM_BYTES_MAX + 1)])
    const error = refusal("PAYLOAD_TOO_LARGE", () => {
      joiner().add(tooMuch?.payload ?? noise(1), true)
    })
    expect(error.message).toBe(
      `an item of the stream takes ${ITEM_BYTES_MAX + 1} bytes, over the limit of ${ITEM_BYTES_MAX}`,
    )
    expect(error.ran).toBe("yes")
  })

  test("nothing of a stream that ended with a whole item", () => {
    const joiner = new ItemJoiner(ITEM_BYTES_MAX)
    const items = received([...frames, ...framesOf([noise(2)])], joiner)
    expect(areSame(items, [large, noise(2)])).toBe(true)
    joiner.finish()
  })
})

describe("PieceReader", () => {
  test("tells where items begin and end, whole ones and pieces", () => {
    const reader = new PieceReader()
    const seen: unknown[] = []
    const large = noise(PAYLOAD_BYTES_MAX + 1)
    const small = framesOf([noise(3)])
    for (const { payload, goesOn } of joined([...small, ...framesOf([large]), ...small], [true])) {
      reader.open(payload, goesOn)
      while (reader.next()) {
        const { start, end, isFirst, left, length } = reader
        seen.push({ bytes: end - start, isFirst, left, length })
      }
    }
    const one = { bytes: 3, isFirst: true, left: 0, length: 3 }
    const { length } = large
    expect(seen).toEqual([one, { bytes: length, isFirst: true, left: 0, length }, one])
  })
})
