import { describe, expect, test } from "bun:test"
import { BATCH_PREFIX_BYTES, FrameReader, FrameType, HEADER_BYTES } from "../../protocol/frame.ts"
import { BODY_BYTES_MAX, EXTRA_BYTES_MAX } from "../../protocol/limits.ts"
import { PROTOCOL_VERSION } from "../../protocol/version.ts"
import { batchOf, CALL, filled } from "../support/any-frames.ts"
import { randomFrom } from "../support/random.ts"
import { refusal } from "../support/sent.ts"

/** Refused before any frame is used: the reader has none afterwards. */
function expectRefused(bytes: Uint8Array, words = ""): void {
  const reader = new FrameReader()
  reader.open(batchOf([CALL, CALL]))
  reader.next()
  const error = refusal("PROTOCOL_ERROR", () => reader.open(bytes))
  expect(error.message).toContain(words)
  expect(reader.next()).toBe(false)
}

describe("a batch that cannot be is refused as a whole (F2)", () => {
  test("cut short at any byte", () => {
    const frames = [CALL, { ...CALL, extra: filled(0) }, { ...CALL, payload: filled(0) }]
    const batch = batchOf(frames)
    const ends = new Set<number>()
    const reader = new FrameReader()
    reader.open(batch)
    while (reader.next()) ends.add(reader.end)
    for (let length = 0; length < batch.length; length++) {
      // Between two frames a batch is whole, only shorter.
      if (length === BATCH_PREFIX_BYTES || ends.has(length)) continue
      expectRefused(batch.subarray(0, length))
    }
  })

  test("with anything behind the last frame", () => {
    for (const extra of [1, 3, HEADER_BYTES - 1, HEADER_BYTES]) {
      expectRefused(Buffer.concat([batchOf([CALL]), Buffer.alloc(extra)]))
    }
  })

  test("of other bytes", () => {
    for (const text of [
      "",
      "b",
      "bh",
      "bh\u0001",
      "GET / HTTP/1.1\r\n\r\n",
      '{"a":1}',
      "hb\u0001\0",
    ]) {
      expectRefused(Buffer.from(text), "a batch of frames")
    }
    expectRefused(new Uint8Array(100))
    expectRefused(new Uint8Array(100).fill(0xff))
  })

  test("of another version, with its number", () => {
    for (const version of [0, PROTOCOL_VERSION + 1, 255]) {
      const batch = batchOf([CALL])
      batch[2] = version
      const error = refusal("VERSION_MISMATCH", () => new FrameReader().open(batch))
      expect(error.message).toContain(`protocol ${version}`)
      expect(error.ran).toBe("no")
    }
  })

  test("of another version whose frames mean something else", () => {
    const batch = batchOf([CALL])
    batch[2] = PROTOCOL_VERSION + 1
    batch.fill(0xff, BATCH_PREFIX_BYTES)
    refusal("VERSION_MISMATCH", () => new FrameReader().open(batch))
  })

  test("over the limit in bytes, and not at the limit", () => {
    const overhead = BATCH_PREFIX_BYTES + HEADER_BYTES
    const fitting = batchOf([
      { ...CALL, extra: filled(0), payload: new Uint8Array(BODY_BYTES_MAX - overhead) },
    ])
    expect(fitting).toHaveLength(BODY_BYTES_MAX)
    expect(new FrameReader().open(fitting)).toBe(1)
    const over = batchOf([
      { ...CALL, extra: filled(0), payload: new Uint8Array(BODY_BYTES_MAX - overhead + 1) },
    ])
    expectRefused(over, "over the limit")
  })

  test.each<[string, number, number]>([
    ["a length of 0", 0, 0],
    ["a length of less than a header", 0, HEADER_BYTES - 1],
    ["a length of less than header and metadata", 0, HEADER_BYTES + 4],
    ["a length that ends behind the batch", 0, 1_000],
    ["a length of 2^32-1", 0, 0xffff_ffff],
    ["the type 0", 4, (CALL.extra.length << 16) | 0],
    ["the type 31", 4, (CALL.extra.length << 16) | 31],
    ["the type 255", 4, (CALL.extra.length << 16) | 255],
    ["more metadata than bytes", 4, (200 << 16) | FrameType.call],
    ["metadata of 65,535 bytes", 4, 0xffff_0003],
  ])("with %s, in its first or its last frame", (_, field, value) => {
    const size = HEADER_BYTES + 25
    for (const at of [BATCH_PREFIX_BYTES, BATCH_PREFIX_BYTES + size]) {
      const batch = batchOf([CALL, CALL])
      batch.writeUInt32LE(value >>> 0, at + field)
      expectRefused(batch)
    }
  })

  test("with metadata over the limit that is really there", () => {
    const batch = batchOf([{ ...CALL, extra: filled(0), payload: filled(EXTRA_BYTES_MAX + 1) }])
    batch.writeUInt32LE(
      (((EXTRA_BYTES_MAX + 1) << 16) | FrameType.call) >>> 0,
      BATCH_PREFIX_BYTES + 4,
    )
    expectRefused(batch, "oversized metadata")
  })

  test("changed at random: refused, or read without leaving the batch", () => {
    const seed = Math.floor(Math.random() * 2 ** 32)
    const random = randomFrom(seed)
    const below = (end: number): number => Math.floor(random() * end)
    for (let i = 0; i < 20_000; i++) {
      const frames = Array.from({ length: 1 + below(4) }, () => ({
        ...CALL,
        payload: filled(below(30)),
      }))
      const batch = batchOf(frames)
      for (let changes = below(4); changes >= 0; changes--) batch[below(batch.length)] = below(256)
      const reader = new FrameReader()
      try {
        const count = reader.open(batch)
        let seen = 0
        for (; reader.next(); seen++) {
          const { start, payloadStart, end, extra, payload } = reader
          const bounded =
            start + HEADER_BYTES <= payloadStart && payloadStart <= end && end <= batch.length
          const whole = HEADER_BYTES + extra.length + payload.length === end - start
          if (!bounded || !whole) throw new Error("a frame reaches out of its batch")
        }
        if (seen !== count) throw new Error(`${count} frames were announced, ${seen} came`)
      } catch (error) {
        const code = String(Object(error).code)
        if (/^(PROTOCOL_ERROR|VERSION_MISMATCH)$/.test(code) && !reader.next()) continue
        throw new Error(`seed ${seed}, case ${i}: ${batch.toHex()}`, { cause: error })
      }
    }
  })
})
