import { beforeEach, describe, expect, test } from "bun:test"
import { RunningCall } from "../../../envs/call-context.ts"
import { logLine } from "../../../envs/output/log-line.ts"
import { OutputLog } from "../../../envs/output/output-log.ts"
import {
  LOG_CALL_BYTES_MAX,
  LOG_FLUSH_MS,
  LOG_LINE_LENGTH_MAX,
  LOG_PROCESS_BYTES_MAX,
  PAYLOAD_BYTES_MAX,
} from "../../../protocol/limits.ts"
import { decodeLines } from "../../../protocol/log-lines.ts"
import { until } from "../../support/until.ts"

interface Sent {
  readonly id: number
  readonly lines: number
  readonly dropped: number
  readonly texts: string[]
}

let sent: Sent[]
let kept: string[]
let hasRoom: boolean
let current: RunningCall | undefined
let log: OutputLog
beforeEach(() => {
  sent = []
  kept = []
  hasRoom = true
  current = undefined
  log = new OutputLog({
    current: () => current,
    write: (of, stream, timeMs, json) => void kept.push(logLine(of, stream, timeMs, json)),
    send: ({ id }, lines, dropped, payload) => {
      if (hasRoom)
        sent.push({ id, lines, dropped, texts: decodeLines(payload).map(({ text }) => text) })
      return hasRoom
    },
  })
})

function call(id: number, wantsLogs = true): RunningCall {
  const running = new RunningCall(
    { env: "lab", bootId: "boot", ownBootId: "boot.i1", payloadBytesMax: PAYLOAD_BYTES_MAX },
    "f",
    id,
    id,
    0,
    () => {},
  )
  running.wantsLogs = wantsLogs
  return running
}

function print(from: RunningCall | undefined, text: string): void {
  current = from
  log.take("stdout", text)
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)

describe("OutputLog", () => {
  test("gives each call its own lines, whichever print in between (X1)", () => {
    const [a, b] = [call(1), call(2)]
    print(a, "a1\na2\nhalf ")
    print(b, "b1\n")
    print(a, "a3\n")
    for (const each of [a, b]) each.end()
    expect(sent.map(({ id, texts }) => [id, texts])).toEqual([
      [1, ["a1", "a2", "half a3"]],
      [2, ["b1"]],
    ])
  })

  test("keeps every line with its call, as JSON", () => {
    print(call(36, false), 'say "hi"\n')
    print(undefined, "nobody\n")
    expect(kept.map((line) => JSON.parse(line))).toEqual([
      {
        time: expect.any(String),
        function: "f",
        call: "boot-10",
        stream: "stdout",
        text: 'say "hi"',
      },
      { time: expect.any(String), stream: "stdout", text: "nobody" },
    ])
  })

  test("sends nothing for calls that did not ask", () => {
    const silent = call(1, false)
    print(silent, "line\n")
    silent.end()
    expect([sent, kept.length]).toEqual([[], 1])
  })

  test("sends a line without an end when the call ends, and what comes later to nobody (X3)", () => {
    const running = call(1)
    print(running, "no end")
    running.end()
    print(running, "late\n")
    running.end()
    expect(sent.map(({ texts }) => texts)).toEqual([["no end"]])
    expect(JSON.parse(kept[1] ?? "")).toEqual({
      time: expect.any(String),
      stream: "stdout",
      text: "late",
    })
  })

  test("sends while the call runs (X2)", async () => {
    const running = call(1)
    print(running, "first\n")
    expect(sent).toEqual([])
    await until(() => sent.length === 1, "the first line")
    print(running, "second\n")
    await until(() => sent.length === 2, "the second line")
    running.end()
    expect(sent).toHaveLength(2)
  })

  test("sends from a function that blocks its thread, too", () => {
    const running = call(1)
    print(running, "first\n")
    const end = performance.now() + 100
    while (performance.now() < end);
    print(running, "second\n")
    expect(sent.map(({ texts }) => texts)).toEqual([["first", "second"]])
  })

  test("drops what is over the bound of a call, and says how many (X2)", () => {
    const running = call(1)
    const count = 10_000
    for (let i = 0; i < count; i++) print(running, `${"x".repeat(100)}\n`)
    running.end()
    const lines = sum(sent.map((frame) => frame.lines))
    expect(lines + sum(sent.map(({ dropped }) => dropped))).toBe(count)
    expect(lines).toBeLessThanOrEqual((LOG_CALL_BYTES_MAX / 100) * sent.length)
    expect(kept).toHaveLength(count)
  })

  test("drops what is over the bound of the process (X2)", () => {
    const calls = Array.from({ length: 100 }, (_, id) => call(id))
    for (const each of calls) {
      for (let i = 0; i < 50; i++) print(each, `${"x".repeat(1_000)}\n`)
      each.end()
    }
    const lines = sum(sent.map((frame) => frame.lines))
    expect(lines + sum(sent.map(({ dropped }) => dropped))).toBe(5_000)
    expect(lines).toBeLessThan(5_000)
    expect(lines * 1_000).toBeGreaterThan(LOG_PROCESS_BYTES_MAX / 2)
  })

  test("counts what there was no room for on the way", async () => {
    const running = call(1)
    hasRoom = false
    print(running, "one\ntwo\n")
    await Bun.sleep(3 * LOG_FLUSH_MS)
    hasRoom = true
    running.end()
    expect(sent).toEqual([{ id: 1, lines: 0, dropped: 2, texts: [] }])
  })

  test("cuts long lines, and holds none for ever", () => {
    const running = call(1)
    print(running, `${"x".repeat(100_000)}\n`)
    for (let i = 0; i < 100; i++) print(running, "y".repeat(1_000))
    running.end()
    const texts = sent.flatMap((frame) => frame.texts)
    expect(texts[0]).toEndWith("x… (100000 characters)")
    expect(texts.length).toBeGreaterThan(5)
    for (const text of texts) expect(text.length).toBeLessThan(LOG_LINE_LENGTH_MAX + 40)
  })

  test("takes the line breaks of Windows, and empty lines", () => {
    const running = call(1)
    print(running, "a\r\n\n\u0000b\n")
    running.end()
    expect(sent[0]?.texts).toEqual(["a", "", "\u0000b"])
  })
})
