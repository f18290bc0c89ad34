import { describe, expect, test } from "bun:test"
import { encodeResult } from "../../protocol/codec/index.ts"
import { FrameReader, FrameType, FrameWriter } from "../../protocol/frame.ts"
import * as limits from "../../protocol/limits.ts"

describe("limits", () => {
  test("are positive whole numbers", () => {
    for (const [name, value] of Object.entries(limits)) {
      expect([name, Number.isSafeInteger(value) && value > 0]).toEqual([name, true])
    }
  })

  test("a frame with the largest payload and metadata fits one broker message", () => {
    const payload = encodeResult("x".repeat(limits.PAYLOAD_BYTES_MAX - 6))
    expect(payload).toHaveLength(limits.PAYLOAD_BYTES_MAX)
    const writer = new FrameWriter()
    const extra = new Uint8Array(limits.EXTRA_BYTES_MAX)
    writer.write(FrameType.call, 0, 1, 1, 1, 1, payload, extra)
    const batch = writer.take()
    expect(batch.length).toBeLessThanOrEqual(limits.BROKER_MESSAGE_BYTES_MAX)
    expect(new FrameReader().open(batch)).toBe(1)
  })
})
