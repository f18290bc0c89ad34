import { describe, expect, test } from "bun:test"
import {
  OBJECT_BYTES_MAX,
  OBJECT_TTL_MS_DEFAULT,
  OBJECT_TTL_MS_MAX,
} from "../../protocol/limits.ts"
import {
  checkObjectName,
  checkTtlMs,
  objectId,
  readObjectId,
  readObjectInfo,
  readUploadRequest,
} from "../../protocol/object.ts"
import { caught } from "../support/caught.ts"

const SHA256 = "0123456789abcdef".repeat(4)

describe("an object's id", () => {
  test("tells bytes from values, and is read back", () => {
    for (const type of ["bytes", "value"] as const) {
      expect(readObjectId(objectId(type, SHA256))).toEqual({ type, sha256: SHA256 })
    }
    expect(objectId("bytes", SHA256)).not.toBe(objectId("value", SHA256))
  })

  test.each(["", "report", `sha256-${SHA256}0`, `sha256-${SHA256.toUpperCase()}`, `x-${SHA256}`])(
    "is not %p",
    (key) => {
      expect(readObjectId(key)).toBeUndefined()
    },
  )

  test("cannot be a name, and neither can what is no name of anything", async () => {
    checkObjectName("Großer Bericht 🐇")
    for (const name of [objectId("bytes", SHA256), objectId("value", SHA256), "", "a/b", ".", 1]) {
      const error = await caught(() => checkObjectName(name))
      expect(error).toMatchObject({ code: "INVALID_ARGUMENT" })
      expect(String(error)).toContain("cannot be the name of an object")
    }
  })
})

describe("checkTtlMs()", () => {
  test("is a day where nothing is said, and 0 for ever", () => {
    expect(checkTtlMs(undefined)).toBe(OBJECT_TTL_MS_DEFAULT)
    expect([0, 0.5, OBJECT_TTL_MS_MAX].map(checkTtlMs)).toEqual([0, 1, OBJECT_TTL_MS_MAX])
  })

  test.each([-1, NaN, Infinity, OBJECT_TTL_MS_MAX + 1])("refuses %p", (ttlMs) => {
    expect(() => checkTtlMs(ttlMs)).toThrow("expected ttlMs to be a number of milliseconds")
  })
})

describe("what a peer says of an object", () => {
  test("is read with its defaults", () => {
    expect(readUploadRequest({ type: "bytes" })).toEqual({
      type: "bytes",
      name: undefined,
      ttlMs: OBJECT_TTL_MS_DEFAULT,
      bytes: 0,
      sha256: undefined,
    })
  })

  test.each([
    {},
    { type: "text" },
    { type: "bytes", name: "a/b" },
    { type: "bytes", ttlMs: -1 },
    { type: "bytes", bytes: 1.5 },
    { type: "bytes", size: 1 },
  ])("is refused when it is %p", (request) => {
    expect(() => readUploadRequest(request)).toThrow()
  })

  test("names no object that is larger than an object can be", () => {
    const info = { object: "x", bytes: 1, type: "bytes", names: ["n"], createdAt: "now" }
    expect(readObjectInfo(info)).toMatchObject(info)
    expect(() => readObjectInfo({ ...info, bytes: OBJECT_BYTES_MAX + 1 })).toThrow("bytes")
  })
})
