import { expect, test } from "bun:test"
import { moduleShell } from "../../../envs/instances/module-shell.ts"
import { Refusal } from "../../../envs/instances/refusal.ts"

const shell = moduleShell("jobs", { limit: 3, run: () => 1 })

test("a module answers its values", () => {
  expect(shell("limit", "value")).toBe(3)
})

test.each([[[]], [["limit"]], [["run", "call"]], [["toString", "value"]]])(
  "a module that is called with %p says what to call",
  (args) => {
    const error: unknown = (() => {
      try {
        return shell(...args)
      } catch (thrown) {
        return thrown instanceof Refusal ? thrown.error : thrown
      }
    })()
    expect(error).toMatchObject({
      code: "INVALID_ARGUMENT",
      message:
        'jobs is a module: call a function that it exports, as jobs.<export>, or [export, "value"] for a value',
    })
  },
)
