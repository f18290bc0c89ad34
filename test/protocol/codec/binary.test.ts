import { describe, expect, test } from "bun:test"
import { encodeResult } from "../../../protocol/codec/index.ts"
import { expectArrivesAsSent, refusal, sent } from "../../support/sent.ts"
import { VIEWS } from "../../support/views.ts"

describe("binary values", () => {
  test.each(VIEWS.map((View) => [View.name, View] as const))("%s arrives by class", (_, View) => {
    const { buffer } = Uint8Array.from({ length: 64 }, (_byte, i) => i * 37)
    expectArrivesAsSent([new View(buffer), new View(buffer, 16, 2), new View(buffer, 64, 0)])
  })

  test.each(VIEWS.map((View) => [View.name, View] as const))("%s owns its bytes", (_, View) => {
    const { buffer } = Uint8Array.from({ length: 64 }, (_byte, i) => i)
    for (const view of [new View(buffer, 8, 3), new View(new ArrayBuffer(0))]) {
      const received = sent<{ view: ArrayBufferView }>({ view })
      expect(received.view.byteOffset).toBe(0)
      expect(received.view.byteLength).toBe(view.byteLength)
      expect(received.view.buffer.byteLength).toBe(view.byteLength)
      expect(received.view.buffer).toBeInstanceOf(ArrayBuffer)
    }
  })

  test("floats keep their bits: NaN, -0, infinities and subnormals", () => {
    const floats = [Number.NaN, -0, Number.POSITIVE_INFINITY, Number.MIN_VALUE, 1e-45, 6e-8, 0.1]
    expectArrivesAsSent([
      new Float16Array(floats),
      new Float32Array(floats),
      new Float64Array(floats),
    ])
    expectArrivesAsSent(new BigInt64Array([-(2n ** 63n), 2n ** 63n - 1n, -1n]))
  })

  test("a Buffer arrives as a Buffer that owns its bytes, also one from a pool", () => {
    const received = sent<Buffer[]>([Buffer.from("pooled"), Buffer.alloc(0)])
    expect(received[0]?.toString()).toBe("pooled")
    expect(received[0]?.buffer.byteLength).toBe(6)
    expectArrivesAsSent([Buffer.from("é"), Buffer.allocUnsafe(3).fill(7), Buffer.alloc(0)])
  })

  test("an ArrayBuffer arrives, of any length that a header can state", () => {
    for (const length of [0, 1, 255, 256, 65_535, 65_536])
      expectArrivesAsSent(new ArrayBuffer(length))
  })

  test("views of one buffer arrive with a buffer each", () => {
    const { buffer } = new Uint8Array([1, 2])
    const [left, right, whole] = sent<[Uint8Array, Uint8Array, ArrayBuffer]>([
      new Uint8Array(buffer),
      new Uint8Array(buffer),
      buffer,
    ])
    expect(left).toEqual(right)
    expect(left.buffer).not.toBe(right.buffer)
    expect(left.buffer).not.toBe(whole)
  })

  test("bytes are copied: the sender may change its own at once, the receiver as well", () => {
    const bytes = new Uint8Array([1, 2, 3])
    const payload = encodeResult(bytes)
    bytes.fill(9)
    const received = sent<Uint8Array>(new Uint8Array([1, 2, 3]))
    received.fill(8)
    expect(payload.includes(9)).toBe(false)
  })

  test("resizable and shared memory arrive as fixed memory of its own", () => {
    const resizable = new ArrayBuffer(4, { maxByteLength: 16 })
    const received = sent<[ArrayBuffer, Uint8Array]>([resizable, new Uint8Array(resizable)])
    expect(received[0]).toEqual(new ArrayBuffer(4))
    expect(received[0].resizable).toBe(false)
    resizable.resize(8)
    expect(sent<Uint8Array>(new Uint8Array(resizable)).length).toBe(8)
    const shared = new Uint8Array(new SharedArrayBuffer(4)).fill(5)
    expect(sent<Uint8Array>(shared).buffer).toBeInstanceOf(ArrayBuffer)
    expectArrivesAsSent(new Uint8Array(shared))
  })

  test("detached memory, and a view that is out of bounds, are refused", () => {
    const bytes = new Uint8Array(8)
    const view = new DataView(bytes.buffer)
    const { buffer } = bytes
    buffer.transfer()
    const shrunk = new ArrayBuffer(8, { maxByteLength: 8 })
    const outside = new DataView(shrunk, 4, 4)
    shrunk.resize(2)
    for (const value of [buffer, bytes, view, outside]) {
      const { path } = refusal("VALUE_NOT_SENDABLE", () => encodeResult({ deep: [value] }))
      expect(path).toBe("result.deep[0]")
    }
  })
})
