import { describe, expect, test } from "bun:test"
import * as fc from "fast-check"
import {
  BATCH_PREFIX_BYTES,
  FrameReader,
  FrameType,
  FrameWriter,
  HEADER_BYTES,
} from "../../protocol/frame.ts"
import { EXTRA_BYTES_MAX } from "../../protocol/limits.ts"
import {
  anyFrame,
  batchOf,
  CALL,
  current,
  filled,
  type Frame,
  read,
  write,
} from "../support/any-frames.ts"
import { refusal } from "../support/sent.ts"

describe("FrameWriter and FrameReader", () => {
  test("are each other's inverse", () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 20 }), (frames) => {
        expect(read(batchOf(frames))).toEqual(frames)
      }),
      { numRuns: 300 },
    )
  })

  test("agree on an empty batch", () => {
    const writer = new FrameWriter()
    expect(writer.isEmpty).toBe(true)
    expect(writer.byteLength).toBe(BATCH_PREFIX_BYTES)
    expect(read(writer.take())).toEqual([])
  })

  test("keep frames while the buffer grows over and over", () => {
    const frames = Array.from({ length: 40 }, (_, i) => ({
      ...CALL,
      id: i,
      payload: filled(i * 997, i),
    }))
    expect(read(batchOf(frames))).toEqual(frames)
    const large = { ...CALL, payload: filled(3_000_000) }
    expect(read(batchOf([CALL, large, CALL]))).toEqual([CALL, large, CALL])
  })

  test("the writer counts its bytes", () => {
    const writer = new FrameWriter()
    write(writer, CALL)
    expect(writer.isEmpty).toBe(false)
    expect(writer.byteLength).toBe(BATCH_PREFIX_BYTES + HEADER_BYTES + 20 + 5)
    expect(writer.take()).toHaveLength(BATCH_PREFIX_BYTES + HEADER_BYTES + 20 + 5)
    expect(writer.isEmpty).toBe(true)
  })

  test("a taken batch is the caller's: writing on does not change it, nor the other way round", () => {
    const writer = new FrameWriter()
    const taken: [batch: Buffer, frames: Frame[]][] = []
    for (let i = 0; i < 50; i++) {
      const frames = Array.from({ length: (i * 7) % 30 }, (_, k) => ({
        ...CALL,
        id: i,
        serial: k,
        payload: filled((i * 131) % 900, k),
      }))
      for (const frame of frames) write(writer, frame)
      taken.push([writer.take(), frames])
    }
    for (const [batch, frames] of taken) {
      expect(read(batch)).toEqual(frames)
      batch.fill(0xff)
    }
    expect(new Set(taken.map(([batch]) => batch.buffer)).size).toBe(taken.length)
  })

  test("work in one buffer each: a lone frame takes no more than a page (F3)", () => {
    const writer = new FrameWriter()
    write(writer, { ...CALL, payload: filled(2_000_000) })
    writer.take()
    // A burst is forgotten again.
    for (let i = 0; i < 2; i++) {
      write(writer, CALL)
      writer.take()
    }
    write(writer, CALL)
    expect(writer.take().buffer.byteLength).toBeLessThanOrEqual(4_096)
  })

  test("the reader is reused for batch after batch, in buffers of any offset", () => {
    const reader = new FrameReader()
    for (let offset = 0; offset < 20; offset++) {
      const batch = batchOf([{ ...CALL, id: offset }, CALL])
      const message = Buffer.alloc(batch.length + offset + 9, 0xee)
      message.set(batch, offset)
      expect(reader.open(message.subarray(offset, offset + batch.length))).toBe(2)
      expect(reader.next()).toBe(true)
      expect(current(reader)).toEqual({ ...CALL, id: offset })
      expect(reader.next()).toBe(true)
      expect(reader.next()).toBe(false)
      expect(reader.next()).toBe(false)
    }
  })

  test("writeText() writes what write() does of the bytes of the text, wherever the buffer ends", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme", maxLength: 3_000 })), (texts) => {
        const written = new FrameWriter()
        const expected = new FrameWriter()
        for (const [id, text] of texts.entries()) {
          written.writeText(FrameType.log, id, 1, 2, 3, text)
          expected.write(FrameType.log, 0, id, 1, 2, 3, Buffer.from(text))
        }
        const batch = written.take()
        expect(Buffer.compare(batch, expected.take())).toBe(0)
        const reader = new FrameReader()
        // Also from bytes that are no Buffer, in the middle of others.
        const bytes = new Uint8Array(batch.length + 20)
        bytes.set(batch, 10)
        reader.open(bytes.subarray(10, 10 + batch.length))
        for (const text of texts) expect([reader.next(), reader.text]).toEqual([true, text])
      }),
      { numRuns: 100 },
    )
  })

  test("a cleared writer starts anew; what it lent is written over", () => {
    const writer = new FrameWriter()
    for (const payload of [filled(5), filled(1_000_000), filled(9)]) {
      write(writer, { ...CALL, payload })
      writer.clear()
      expect(writer.isEmpty).toBe(true)
    }
    write(writer, CALL)
    expect(writer.buffer.length).toBeLessThan(100_000)
    expect(read(writer.take())).toEqual([CALL])
  })

  test("a reader goes over one buffer again and again, each time as far as that is filled", () => {
    const reader = new FrameReader()
    const buffer = Buffer.alloc(1_000)
    for (const id of [1, 2, 3]) {
      const batch = batchOf(Array.from({ length: id }, () => ({ ...CALL, id })))
      batch.copy(buffer)
      reader.reopen(buffer, batch.length)
      for (let i = 0; i < id; i++) {
        expect(reader.next()).toBe(true)
        expect(current(reader)).toEqual({ ...CALL, id })
      }
      expect([reader.next(), reader.isAlone]).toEqual([false, id === 1])
    }
    reader.open(batchOf([{ ...CALL, id: 9 }]))
    expect([reader.next(), reader.id, reader.next()]).toEqual([true, 9, false])
  })

  test("metadata over the limit is refused where it is written: the batch of others stays whole", () => {
    const writer = new FrameWriter()
    write(writer, CALL)
    for (const size of [EXTRA_BYTES_MAX + 1, 0xffff, 0x1_0000, 0x1_0005]) {
      refusal("PROTOCOL_ERROR", () => write(writer, { ...CALL, extra: filled(size) }))
    }
    write(writer, { ...CALL, extra: filled(EXTRA_BYTES_MAX) })
    expect(read(writer.take())).toHaveLength(2)
  })
})

describe("forwarding", () => {
  const to = { id: 99, target: 88, timeoutMs: 77, serial: 66 }

  test("copyFrom() and copyBytes() change four fields and nothing else (F1)", () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { minLength: 1, maxLength: 8 }), (frames) => {
        const reader = new FrameReader()
        const copied = new FrameWriter()
        const queued = new FrameWriter()
        reader.open(batchOf(frames))
        while (reader.next()) {
          copied.copyFrom(reader, to.id, to.target, to.timeoutMs, to.serial)
          const copy = reader.copy()
          queued.copyBytes(copy, to.id, to.target, to.timeoutMs, to.serial)
        }
        const forwarded = frames.map((frame) => ({ ...frame, ...to }))
        expect(read(copied.take())).toEqual(forwarded)
        expect(read(queued.take())).toEqual(forwarded)
      }),
      { numRuns: 200 },
    )
  })

  test("append() adds a whole frame as it is, also where the buffer has to grow for it", () => {
    const reader = new FrameReader()
    const frames = Array.from({ length: 30 }, (_, i) => ({
      ...CALL,
      id: i,
      payload: filled(i * 301),
    }))
    reader.open(batchOf(frames))
    const writer = new FrameWriter()
    while (reader.next()) writer.append(reader.copy())
    expect(read(writer.take())).toEqual(frames)
    const large = { ...CALL, payload: filled(100_000) }
    reader.open(batchOf([large]))
    reader.next()
    const fresh = new FrameWriter()
    fresh.append(reader.copy())
    expect(read(fresh.take())).toEqual([large])
  })

  test("copy() is a copy, whatever class the message comes in, and keeps nothing else alive", () => {
    const batch = batchOf([CALL, { ...CALL, payload: filled(60_000) }])
    for (const message of [batch, new Uint8Array(batch)]) {
      const reader = new FrameReader()
      reader.open(message)
      reader.next()
      const copy = reader.copy()
      const before = copy.toHex()
      message.fill(0, BATCH_PREFIX_BYTES)
      expect(copy.toHex()).toBe(before)
      expect(copy.buffer.byteLength).toBe(HEADER_BYTES + 25)
      message.set(batchOf([CALL, { ...CALL, payload: filled(60_000) }]))
    }
  })

  test("payload and extra are views of the message, not copies (F3)", () => {
    const batch = batchOf([CALL])
    const reader = new FrameReader()
    reader.open(batch)
    reader.next()
    expect(reader.payload.buffer).toBe(batch.buffer)
    expect(reader.extra.buffer).toBe(batch.buffer)
    expect(reader.payloadStart).toBe(BATCH_PREFIX_BYTES + HEADER_BYTES + 5)
  })
})
