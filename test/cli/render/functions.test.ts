import { expect, test } from "bun:test"
import { renderFunctions } from "../../../cli/render/functions.ts"
import { makeStyle } from "../../../cli/style.ts"

test("renderFunctions() sorts by env and name", () => {
  const info = { kind: "async", run: "loop", version: "0123" } as const
  const functions = [
    { env: "b", name: "x", ...info },
    { env: "a", name: "z", ...info },
    { env: "a", name: "y", ...info, kind: "sync", run: "thread" } as const,
  ]
  expect(renderFunctions(functions, makeStyle(false))).toBe(
    [
      "FUNCTION  KIND   RUNS ON  VERSION",
      "a/y       sync   thread   0123",
      "a/z       async  loop     0123",
      "b/x       async  loop     0123",
    ].join("\n"),
  )
})
