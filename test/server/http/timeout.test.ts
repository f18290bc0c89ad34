import { describe, expect, test } from "bun:test"
import { CALL_TIMEOUT_MS_MAX, DEPLOY_TIMEOUT_MS_DEFAULT } from "../../../protocol/limits.ts"
import { callTimeoutOf, loadTimeoutOf } from "../../../server/http/timeout.ts"
import { refusal } from "../../support/sent.ts"

function withHeader(value?: string): Request {
  const headers = value === undefined ? {} : { "bunhouse-timeout-ms": value }
  return new Request("http://localhost/", { headers })
}

describe("callTimeoutOf()", () => {
  test("is that of the env without the header, and what the header says with it", () => {
    expect(callTimeoutOf(withHeader(), 1_234)).toBe(1_234)
    expect(callTimeoutOf(withHeader("250"), 1_234)).toBe(250)
    expect(callTimeoutOf(withHeader("0"), 1_234)).toBe(0)
    expect(callTimeoutOf(withHeader(String(CALL_TIMEOUT_MS_MAX)), 1)).toBe(CALL_TIMEOUT_MS_MAX)
  })

  test.each([
    [""],
    ["-1"],
    ["1.5"],
    ["1e3"],
    ["0x10"],
    ["ten"],
    ["1, 2"],
    ["9".repeat(400)],
    ["4294967296"],
  ])("refuses %p, and does not take it for no deadline", (value) => {
    refusal("INVALID_ARGUMENT", () => callTimeoutOf(withHeader(value), 0))
  })
})

describe("loadTimeoutOf()", () => {
  test("is bounded: code without an end must not be waited for without an end", () => {
    expect(loadTimeoutOf(withHeader())).toBe(DEPLOY_TIMEOUT_MS_DEFAULT)
    expect(loadTimeoutOf(withHeader("200"))).toBe(200)
    for (const value of ["0", "600001", ""]) {
      refusal("INVALID_ARGUMENT", () => loadTimeoutOf(withHeader(value)))
    }
  })
})
