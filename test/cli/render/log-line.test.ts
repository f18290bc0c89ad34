import { describe, expect, test } from "bun:test"
import { renderLogLine } from "../../../cli/render/log-line.ts"
import { makeStyle } from "../../../cli/style.ts"

const render = (entry: object | string) => {
  const line = typeof entry === "string" ? entry : JSON.stringify(entry)
  return renderLogLine(line, makeStyle(false))
}

describe("renderLogLine()", () => {
  test("shows time, event and facts", () => {
    const entry = { time: "2026-11-22T08:58:22.364Z", event: "env ready", env: "default", pid: 7 }
    expect(render(entry)).toMatch(
      /^2026-11-2\d \d\d:\d\d:22\.364 {2}env ready {2}env=default pid=7$/,
    )
    expect(render({ time: entry.time, event: "stopped" })).toEndWith(".364  stopped")
  })

  test("quotes what could be taken for another fact", () => {
    const entry = {
      time: "?",
      event: "e",
      how: "exit code 1",
      name: "a=b",
      none: "",
      deep: { a: 1 },
    }
    expect(render(entry)).toBe('?  e  how="exit code 1" name="a=b" none="" deep={"a":1}')
  })

  test("shows a trace below its line", () => {
    const error = "Error: no\n    at f (\u001b[2J.ts:1:1)\n"
    expect(render({ time: "?", event: "uncaught exception", error })).toBe(
      "?  uncaught exception  error=\n    Error: no\n        at f (\\x1b[2J.ts:1:1)",
    )
  })

  test("shows what is no entry as it is, without harm", () => {
    for (const line of [
      "panic: \u001b[31mno",
      "{",
      "null",
      "[]",
      '{"event":"x"}',
      '{"time":1,"event":"x"}',
    ]) {
      expect(render(line)).toBe(line.replace("\u001b", "\\x1b"))
    }
  })
})
