import { describe, expect, test } from "bun:test"
import * as fc from "fast-check"
import {
  decodeArgs,
  encodeArgs,
  encodeResult,
  encodeThrown,
} from "../../../protocol/codec/index.ts"
import { PAYLOAD_BYTES_MAX } from "../../../protocol/limits.ts"
import { differenceOf } from "../../support/same-graph.ts"
import { anyGraph, anyScalar } from "../../support/sendable.ts"
import { decoded, refusal, sent } from "../../support/sent.ts"

describe("encodeArgs() and decodeArgs()", () => {
  test("are each other's inverse, wherever the payload stands in a message", () => {
    const someArgs = fc.array(fc.oneof(anyScalar, anyGraph), { maxLength: 4 })
    fc.assert(
      fc.property(someArgs, fc.nat(40), fc.nat(40), (args, before, after) => {
        const bytes = encodeArgs(args)
        const message = new Uint8Array(before + bytes.length + after).fill(0xc1)
        message.set(bytes, before)
        const received = decodeArgs(message, before, before + bytes.length)
        expect(differenceOf(args, received)).toBeUndefined()
      }),
      { numRuns: 500 },
    )
  })

  test("keep the number of arguments, undefined ones included", () => {
    for (const args of [[], [undefined], [undefined, undefined], [null], [1, undefined]]) {
      const bytes = encodeArgs(args)
      expect(decodeArgs(bytes, 0, bytes.length)).toStrictEqual(args)
    }
  })

  test("read Buffers and plain arrays of bytes alike", () => {
    const bytes = encodeArgs([{ key: "short", long: "é".repeat(200), list: ["a".repeat(30), 1.5] }])
    const fromBuffer = decodeArgs(Buffer.from(bytes), 0, bytes.length)
    expect(fromBuffer).toEqual(decodeArgs(new Uint8Array(bytes), 0, bytes.length))
  })

  test("do not hand out views of the message", () => {
    const bytes = encodeArgs([new Uint8Array([1, 2, 3]), "text", Buffer.from("b")])
    const received = decodeArgs(bytes, 0, bytes.length)
    bytes.fill(0)
    expect(received).toEqual([new Uint8Array([1, 2, 3]), "text", Buffer.from("b")])
  })
})

/** Text whose payload takes exactly `bytes`: an encoding byte and a header of 5 bytes come with it. */
const textOf = (bytes: number): string => "x".repeat(bytes - 6)

describe("what is too large", () => {
  test("is refused, and what just fits arrives", () => {
    const fitting = textOf(PAYLOAD_BYTES_MAX)
    expect(encodeResult(fitting)).toHaveLength(PAYLOAD_BYTES_MAX)
    expect(sent(fitting) === fitting).toBe(true)
    const { message } = refusal("PAYLOAD_TOO_LARGE", () => encodeResult(`${fitting}x`))
    expect(message).toStartWith(
      `the result takes ${PAYLOAD_BYTES_MAX + 1} bytes, over the limit of ${PAYLOAD_BYTES_MAX}: `,
    )
    refusal("PAYLOAD_TOO_LARGE", () => encodeArgs([fitting], PAYLOAD_BYTES_MAX))
    refusal("PAYLOAD_TOO_LARGE", () => encodeArgs([{ fitting }], PAYLOAD_BYTES_MAX))
    const bytes = new Uint8Array(PAYLOAD_BYTES_MAX)
    refusal("PAYLOAD_TOO_LARGE", () => encodeArgs([bytes], PAYLOAD_BYTES_MAX))
    expect(encodeArgs([bytes]).length).toBeGreaterThan(PAYLOAD_BYTES_MAX)
  })

  test("says whether the function ran: arguments no, results yes", () => {
    const large = textOf(PAYLOAD_BYTES_MAX + 1)
    for (const value of [large, { large }, [-0, large]]) {
      expect(refusal("PAYLOAD_TOO_LARGE", () => encodeArgs([value], PAYLOAD_BYTES_MAX)).ran).toBe(
        "no",
      )
      expect(refusal("PAYLOAD_TOO_LARGE", () => encodeResult(value)).ran).toBe("yes")
    }
    expect(refusal("VALUE_NOT_SENDABLE", () => encodeArgs([Symbol("s")])).ran).toBe("no")
    expect(refusal("VALUE_NOT_SENDABLE", () => encodeResult(Symbol("s"))).ran).toBe("yes")
  })

  test("may still be thrown", () => {
    const words = decoded<Error>(encodeThrown(textOf(PAYLOAD_BYTES_MAX + 1)))
    expect(words.message).toStartWith("a value that cannot be sent was thrown: ")
  })
})

test("only payloads with shared objects ask for the walk over references", () => {
  const shared = { a: 1 }
  const alone = [{ a: 1 }, new Date(0), new Map([[{}, -0]]), new Error("e"), "\ud800", [[], []]]
  for (const value of alone) expect(encodeResult(value)[0]).toBe(0)
  for (const value of [[shared, shared], new Map([[shared, shared]])]) {
    expect(encodeResult(value)[0]).toBe(1)
  }
})

test("payloads are small where values are", () => {
  expect(encodeArgs([42])).toHaveLength(3)
  expect(encodeResult(undefined)).toHaveLength(4)
  expect(encodeResult({ a: 1 })).toHaveLength(5)
  expect(encodeResult(new Date(0)).length).toBeLessThan(10)
})
