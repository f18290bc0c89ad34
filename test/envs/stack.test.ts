import { describe, expect, test } from "bun:test"
import { trimStack } from "../../envs/stack.ts"

const OWN = Bun.fileURLToPath(new URL("../../envs/", import.meta.url))

function withStack(...lines: string[]): Error {
  return Object.assign(new Error("e"), { stack: ["Error: e", ...lines].join("\n") })
}

describe("trimStack()", () => {
  test("takes this library's frames off the end", () => {
    const error = withStack("  at f (/code/f.mjs:1:1)", `  at run (${OWN}loop.ts:48:1)`, "  at x")
    trimStack(error)
    expect(error.stack).toBe("Error: e\n  at f (/code/f.mjs:1:1)")
  })

  test("takes the frame that runs it inside of its context along", () => {
    const runner = "  at run (node:async_hooks:62:22)"
    const error = withStack("  at f (/code/f.mjs:1:1)", runner, `  at run (${OWN}loop.ts:48:1)`)
    trimStack(error)
    expect(error.stack).toBe("Error: e\n  at f (/code/f.mjs:1:1)")
  })

  test("leaves alone what has none of them, and what does not let itself be changed", () => {
    const error = withStack("  at f (/code/f.mjs:1:1)")
    trimStack(error)
    expect(error.stack).toContain("/code/f.mjs")
    const frozen = Object.freeze(withStack(`  at run (${OWN}loop.ts:1:1)`))
    for (const odd of [frozen, null, "text", { stack: 1 }, new Proxy(error, {})]) trimStack(odd)
    expect(frozen.stack).toContain("loop.ts")
  })
})
