import { describe, expect, test } from "bun:test"
import { decodePayload, encodeArgs, encodeResult } from "../../../protocol/codec/index.ts"
import { BunhouseError } from "../../../protocol/errors.ts"
import { PAYLOAD_BYTES_MAX } from "../../../protocol/limits.ts"
import { decoded, refusal, sent } from "../../support/sent.ts"

const blockOf = (bytes: Uint8Array): number => bytes.buffer.byteLength

const nested = (inner: () => unknown) => ({
  before: ["b".repeat(100), { deep: [1, 2] }],
  get inner() {
    return inner()
  },
  after: { text: "a".repeat(100), last: true },
})

/** What `run` returns, or the code of the error that it throws. */
function outcomeOf(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    if (error instanceof BunhouseError) return error.code
    throw error
  }
}

describe("encoded bytes", () => {
  test("are never written to again", () => {
    const kept: [bytes: Uint8Array, copy: Uint8Array][] = []
    for (let i = 0; i < 3_000; i++) {
      const bytes = encodeResult({ i, text: "x".repeat(i % 700), zero: -0 })
      kept.push([bytes, new Uint8Array(bytes)])
      if (i % 500 === 0) encodeResult("large".repeat(300_000))
    }
    for (const [bytes, copy] of kept) expect(copy).toEqual(new Uint8Array(bytes))
  })

  test("of a small value do not keep the memory of a large one alive", () => {
    const small = blockOf(encodeResult([1]))
    encodeResult("x".repeat(PAYLOAD_BYTES_MAX - 100))
    expect(blockOf(encodeResult([1]))).toBeLessThanOrEqual(Math.max(small, 64 * 1024))
    refusal("PAYLOAD_TOO_LARGE", () => encodeResult("x".repeat(4 * PAYLOAD_BYTES_MAX)))
    expect(blockOf(encodeResult([1]))).toBeLessThanOrEqual(64 * 1024)
    // Values of ordinary size share a block that stays within bounds.
    for (let i = 0; i < 200; i++) encodeResult("y".repeat(900_000))
    expect(blockOf(encodeResult([1]))).toBeLessThanOrEqual(16 * 1024 * 1024)
  })

  test("follow one another after a value that could not be packed", () => {
    for (let i = 0; i < 10; i++) {
      refusal("VALUE_NOT_SENDABLE", () => encodeArgs([{ fine: "x".repeat(5_000), bad: () => 1 }]))
      expect(sent([i, { i }])).toEqual([i, { i }])
    }
  })
})

describe("a getter that itself encodes and decodes", () => {
  test.each<[string, () => unknown]>([
    ["a small value", () => decodePayload(encodeResult([1, { a: -0 }]))],
    ["a large value", () => encodeResult("z".repeat(2_000_000)).length],
    [
      "a value with references",
      () => {
        const shared = {}
        return Object.keys(decoded<object>(encodeResult([shared, shared]))).length
      },
    ],
    [
      "a value that is refused",
      () => refusal("VALUE_NOT_SENDABLE", () => encodeResult(() => 1)).code,
    ],
    [
      "a payload that is refused",
      () => refusal("PROTOCOL_ERROR", () => decodePayload(new Uint8Array(9))).code,
    ],
    ["a value with a getter of its own", () => sent(nested(() => sent(nested(() => "innermost"))))],
  ])("sends %s without harm to its own value", (_, inner) => {
    const expected = inner()
    for (let i = 0; i < 3; i++) {
      const received = sent<[ReturnType<typeof nested>, number]>([nested(inner), i])
      expect(received[0]).toEqual({ ...nested(inner), inner: expected })
      expect(received[1]).toBe(i)
    }
    expect(sent({ next: [1] })).toEqual({ next: [1] })
  })

  test("may answer differently the second time; what was sent stays well-formed", () => {
    const answers = [1, () => 1, "text", Symbol("s"), -0, new Map([[1, 1]]), 10n]
    for (const first of [1, "a", null]) {
      for (const second of answers) {
        let reads = 0
        const value = {
          get moody() {
            return reads++ === 0 ? first : second
          },
        }
        const outcome = outcomeOf(() => sent<unknown[]>([value, "end"])[1])
        expect(String(outcome)).toMatch(/^(end|VALUE_NOT_SENDABLE|PROTOCOL_ERROR)$/)
        expect(sent([1])).toEqual([1])
      }
    }
  })

  test("may fail the second time: that is a refusal as well", () => {
    let reads = 0
    const value = {
      get moody() {
        if (reads++ > 0) throw new Error("not again")
        return 1
      },
    }
    expect(refusal("VALUE_NOT_SENDABLE", () => encodeArgs([value])).path).toBe("args")
    reads = 0
    const { ran, cause } = refusal("VALUE_NOT_SENDABLE", () => encodeResult(value))
    expect(ran).toBe("yes")
    expect(cause).toEqual(new Error("not again"))
  })
})
