import { describe, expect, test } from "bun:test"
import { encodeExtra, readExtra } from "../../protocol/extra.ts"
import { EXTRA_BYTES_MAX, IDEMPOTENCY_KEY_BYTES_MAX } from "../../protocol/limits.ts"
import { refusal } from "../support/sent.ts"

describe("the metadata of a call", () => {
  test("arrives as it was said, and takes no bytes where there is none", () => {
    for (const extra of [{ key: "order-17" }, { key: "é\u0000\n😀", boot: "abc" }]) {
      expect(readExtra(encodeExtra(extra))).toEqual(extra)
    }
    for (const extra of [
      { depth: 1, root: "boot-1" },
      {
        depth: 2,
        root: "boot-1",
        key: "k",
        blocks: { known: { id: 0xffff_ffff, callId: "boot-2" } },
      },
      { depth: 3, root: "boot-1", blocks: { own: { env: "lab", threads: 2 } } },
    ]) {
      expect(readExtra(encodeExtra(extra))).toEqual(extra)
    }
    expect(encodeExtra({})).toHaveLength(0)
    expect(encodeExtra({ boot: "abc" })).toHaveLength(0)
  })

  test("fits the frame with the longest key", () => {
    // One character takes six bytes as JSON.
    const key = "\u0001".repeat(IDEMPOTENCY_KEY_BYTES_MAX)
    const bytes = encodeExtra({ key, boot: "x".repeat(64) })
    expect(bytes.length).toBeLessThan(EXTRA_BYTES_MAX)
    expect(readExtra(bytes).key).toBe(key)
  })

  test("passes over what a later version may say", () => {
    expect(readExtra(Buffer.from(`{"trace":{"id":1}}`))).toEqual({})
  })

  test.each(["", "x".repeat(IDEMPOTENCY_KEY_BYTES_MAX + 1), "é".repeat(129), "\ud800"])(
    "refuses the key %p on both sides",
    (key) => {
      refusal("INVALID_ARGUMENT", () => encodeExtra({ key }))
      refusal("INVALID_ARGUMENT", () => readExtra(Buffer.from(JSON.stringify({ key }))))
    },
  )

  test.each([
    `{"key":1}`,
    `{"key":"a","boot":[]}`,
    `{"depth":-1}`,
    `{"depth":1,"blocks":{"known":{"id":0}}}`,
    "[]",
    "null",
    "{",
    "\xff",
  ])(
    "refuses %p",
    (text) => void refusal("INVALID_ARGUMENT", () => readExtra(Buffer.from(text, "latin1"))),
  )
})
