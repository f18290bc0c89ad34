import { describe, expect, test } from "bun:test"
import { cls, connect, fn, module } from "../../client/index.ts"
import { mapCalls } from "../../client/map.ts"
import { readRetries } from "../../client/retry.ts"
import { startStack } from "../support/stack.ts"
import { caught } from "../support/caught.ts"

class Box {
  async size() {
    return 1
  }
}

/** As JavaScript may hand them over. */
function options(record: Record<string, unknown>): object {
  return record
}

describe("an option that there is not", () => {
  test.each([
    ["fn()", "nam", () => fn(async () => 1, options({ nam: "f" }))],
    ["cls()", "nam", () => cls(Box, options({ nam: "Box" }))],
    ["module()", "nam", () => module(import.meta.url, options({ nam: "m" }))],
    ["connect()", "address", () => connect(options({ address: "http://127.0.0.1:1" }))],
    ["retries", "times", () => readRetries({ max: 1, ...options({ times: 3 }) })],
    ["map()", "parallel", () => mapCalls(async () => 1, [], options({ parallel: 3 }), undefined)],
  ])("of %s is refused by name: %s", (what, name, use) => {
    expect(use).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining(`${what} has the unknown option "${name}" (known: `),
      }),
    )
  })

  test("of with() and put() is refused by name, and nothing was called", async () => {
    await using stack = await startStack()
    const f = await fn(async () => 1, { name: "f" }).to(stack.here)
    expect(() => f.with(options({ timeout: 5 }))).toThrow(
      'unknown option "timeout" (known: timeoutMs',
    )
    expect(() => f.with({ stream: options({ windows: 5 }) })).toThrow('"windows" (known: window)')
    const error = await caught(stack.here.objects.put(1, options({ ttl: 5 })))
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", ran: "no" })
    expect(await f.with({ timeoutMs: 5_000, stream: { window: 5 } })()).toBe(1)
  })
})
