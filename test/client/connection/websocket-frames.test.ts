import { describe, expect, test } from "bun:test"
import {
  encodeHead,
  type Message,
  MessageParser,
  Opcode,
} from "../../../client/connection/websocket-frames.ts"
import { BODY_BYTES_MAX } from "../../../protocol/limits.ts"
import { randomFrom } from "../../support/random.ts"

/** A frame as a server sends it: not masked. */
function serverFrame(payload: Uint8Array, first = 0x82, form = shortest(payload.length)): Buffer {
  const head = Buffer.alloc(form === 126 ? 4 : form === 127 ? 10 : 2)
  head[0] = first
  head[1] = form
  if (form === 126) head.writeUInt16BE(payload.length, 2)
  if (form === 127) head.writeBigUInt64BE(BigInt(payload.length), 2)
  return Buffer.concat([head, payload])
}

function shortest(length: number): number {
  if (length < 126) return length
  return length < 0x10000 ? 126 : 127
}

function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i % 251)
}

/** What a parser makes of pieces. */
function parsed(pieces: readonly Uint8Array[]): { opcode: number; payload: string }[] {
  const parser = new MessageParser()
  return pieces.flatMap((piece) => parser.push(Buffer.from(piece)).map(shown))
}

function shown({ opcode, payload }: Message): { opcode: number; payload: string } {
  return { opcode, payload: payload.toString("hex") }
}

function binary(payload: Uint8Array): { opcode: number; payload: string } {
  return { opcode: Opcode.binary, payload: Buffer.from(payload).toString("hex") }
}

describe("encodeHead()", () => {
  test.each([[0], [1], [3], [125], [126], [127], [65_535], [65_536], [100_001]])(
    "makes the head of a masked frame of %p bytes whose payload follows as it is",
    (length) => {
      const head = encodeHead(Opcode.binary, bytes(length))
      const form = (head[1] ?? 0) & 0x7f
      expect(head[0]).toBe(0x82)
      expect(head[1] ?? 0).toBeGreaterThanOrEqual(0x80)
      expect(form).toBe(shortest(length))
      if (form === 126) expect(head.readUInt16BE(2)).toBe(length)
      if (form === 127) expect(head.readBigUInt64BE(2)).toBe(BigInt(length))
      expect(head.length).toBe((form === 126 ? 4 : form === 127 ? 10 : 2) + 4)
      // XOR with zeros changes nothing.
      expect(head.subarray(-4)).toEqual(Buffer.alloc(4))
    },
  )
})

describe("MessageParser", () => {
  test.each([[0], [1], [125], [126], [65_535], [65_536], [200_000]])(
    "reads a message of %p bytes, whole and in two pieces split anywhere near its head",
    (length) => {
      const frame = serverFrame(bytes(length))
      expect(parsed([frame])).toEqual([binary(bytes(length))])
      for (let at = 0; at <= Math.min(frame.length, 20); at++) {
        expect(parsed([frame.subarray(0, at), frame.subarray(at)])).toEqual([binary(bytes(length))])
      }
    },
  )

  test("takes the three forms of a length, also longer ones than needed", () => {
    for (const form of [5, 126, 127]) {
      expect(parsed([serverFrame(bytes(5), 0x82, form)])).toEqual([binary(bytes(5))])
    }
  })

  test("reads several messages that are cut at every position", () => {
    const messages = [0, 3, 126, 200].map(bytes)
    const stream = Buffer.concat(messages.map((message) => serverFrame(message)))
    for (let at = 0; at <= stream.length; at++) {
      expect(parsed([stream.subarray(0, at), stream.subarray(at)])).toEqual(messages.map(binary))
    }
    const single = Array.from(stream, (byte) => Uint8Array.of(byte))
    expect(parsed(single)).toEqual(messages.map(binary))
  })

  test("reads any stream in any pieces", () => {
    const random = randomFrom(11)
    for (let round = 0; round < 40; round++) {
      const messages = Array.from({ length: 8 }, () => bytes(Math.floor(random() ** 4 * 90_000)))
      let rest = Buffer.concat(messages.map((message) => serverFrame(message)))
      const pieces: Buffer[] = []
      while (rest.length > 0) {
        const length = 1 + Math.floor(random() ** 3 * rest.length)
        pieces.push(rest.subarray(0, length))
        rest = rest.subarray(length)
      }
      expect(parsed(pieces)).toEqual(messages.map(binary))
    }
  })

  test("puts fragments together, and lets control frames pass between them", () => {
    const [a, b, c] = [bytes(10), bytes(300), bytes(0)]
    const stream = [
      serverFrame(a, 0x02),
      serverFrame(bytes(4), 0x89),
      serverFrame(b, 0x00),
      serverFrame(c, 0x80),
      serverFrame(bytes(1)),
    ]
    expect(parsed(stream)).toEqual([
      { opcode: Opcode.ping, payload: Buffer.from(bytes(4)).toString("hex") },
      binary(Buffer.concat([a, b, c])),
      binary(bytes(1)),
    ])
  })

  test.each([
    ["a masked frame", [Buffer.from([0x82, 0x81, 0, 0, 0, 0, 1])]],
    ["a frame over the limit", [lengthOnly(BigInt(BODY_BYTES_MAX) + 1n)]],
    ["a frame of an absurd length", [lengthOnly(2n ** 63n)]],
    ["a continuation of nothing", [serverFrame(bytes(1), 0x80)]],
    ["a message inside of another one", [serverFrame(bytes(1), 0x02), serverFrame(bytes(1))]],
    ["text", [serverFrame(bytes(1), 0x81)]],
    ["an unknown type", [serverFrame(bytes(1), 0x83)]],
    ["fragments without an end", endlessFragments(9_000_000, 2)],
    ["empty fragments without an end", endlessFragments(0, 70_000)],
  ])("refuses %s", (_what, pieces) => {
    expect(() => parsed(pieces)).toThrow("the daemon sent")
  })

  test("takes memory for what was announced, not again for each piece of it", () => {
    const frame = serverFrame(new Uint8Array(4_000_000))
    const parser = new MessageParser()
    const start = performance.now()
    let messages = 0
    // The head comes in two pieces, so that its length is not known at first.
    for (let at = 0; at < frame.length; at += at === 0 ? 3 : 1_000) {
      messages += parser.push(frame.subarray(at, at === 0 ? 3 : at + 1_000)).length
    }
    expect(messages).toBe(1)
    expect(performance.now() - start).toBeLessThan(1_000)
  })
})

function lengthOnly(length: bigint): Buffer {
  const head = Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0])
  head.writeBigUInt64BE(length, 2)
  return head
}

function endlessFragments(length: number, count: number): Buffer[] {
  const next = serverFrame(new Uint8Array(length), 0x00)
  return [serverFrame(bytes(1), 0x02), ...Array.from({ length: count }, () => next)]
}
