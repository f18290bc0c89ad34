import { describe, expect, test } from "bun:test"
import { parseCount, parseDurationMs, parsePort } from "../../cli/option-values.ts"
import { caught } from "../support/caught.ts"

describe("parseDurationMs()", () => {
  test.each([
    ["0", 0],
    ["0s", 0],
    ["500ms", 500],
    ["2s", 2_000],
    ["1.5m", 90_000],
    ["1h", 3_600_000],
  ])("reads %s", (text, ms) => {
    expect(parseDurationMs("--timeout", text)).toBe(ms)
  })

  test.each(["", "5", "-1s", "1 s", "s", "1d", "1e3s", "Infinity", "0x1s", "1.s"])(
    "refuses %j",
    async (text) => {
      const error = await caught(() => parseDurationMs("--timeout", text))
      expect(error.code).toBe("INVALID_ARGUMENT")
      expect(error.message).toContain(`expected --timeout to be a time`)
    },
  )
})

test("parsePort() reads 0 to 65535", async () => {
  expect(["0", "7420", "65535"].map((text) => parsePort("--port", text))).toEqual([
    "0",
    "7420",
    "65535",
  ])
  for (const text of ["65536", "-1", "", "80a", "1e3"]) {
    expect((await caught(() => parsePort("--port", text))).code).toBe("INVALID_ARGUMENT")
  }
})

test("parseCount() reads whole numbers", async () => {
  expect(parseCount("--lines", "0")).toBe(0)
  expect(parseCount("--lines", "100")).toBe(100)
  for (const text of ["-1", "1.5", "", "many"]) {
    expect((await caught(() => parseCount("--lines", text))).code).toBe("INVALID_ARGUMENT")
  }
})
