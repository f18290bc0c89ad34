import { describe, expect, test } from "bun:test"
import { FrameReader, FrameWriter } from "../../../protocol/frame.ts"
import {
  STREAM_WINDOW_BYTES,
  STREAM_WINDOW_ITEMS_DEFAULT,
  STREAM_WINDOW_ITEMS_MAX,
} from "../../../protocol/limits.ts"
import { type Credit, readCredit, windowOf, writeCredit } from "../../../protocol/streams/credit.ts"
import { refusal } from "../../support/sent.ts"

function sent(stream: number, credit?: Credit) {
  const writer = new FrameWriter()
  writeCredit(writer, 9, stream, credit)
  const frame = new FrameReader()
  frame.open(writer.take())
  frame.next()
  return { id: frame.id, ...readCredit(frame) }
}

describe("a credit frame", () => {
  test("says how much of which stream", () => {
    expect(sent(3, { items: 5, bytes: 70 })).toEqual({
      id: 9,
      stream: 3,
      items: 5,
      bytes: 70,
      isLast: false,
    })
  })

  test("without credit says that no more is wanted", () => {
    expect(sent(2)).toMatchObject({ stream: 2, items: 0, bytes: 0, isLast: true })
  })

  test("holds what fits its fields", () => {
    const most = 0xffff_ffff
    expect(sent(0, { items: most + 5, bytes: 1e15 })).toMatchObject({ items: most, bytes: most })
  })
})

describe("windowOf()", () => {
  test("is the default without an option", () => {
    expect(windowOf(undefined)).toEqual({
      items: STREAM_WINDOW_ITEMS_DEFAULT,
      bytes: STREAM_WINDOW_BYTES,
    })
  })

  test("takes whole numbers from 1 to the limit, and refuses one beyond", () => {
    expect(windowOf(1).items).toBe(1)
    expect(windowOf(STREAM_WINDOW_ITEMS_MAX).items).toBe(STREAM_WINDOW_ITEMS_MAX)
    for (const window of [0, STREAM_WINDOW_ITEMS_MAX + 1, 0.5, Number.NaN, Infinity]) {
      const { message } = refusal("INVALID_ARGUMENT", () => windowOf(window))
      expect(message).toContain(`got ${window}`)
    }
  })
})
