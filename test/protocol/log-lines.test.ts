import { describe, expect, test } from "bun:test"
import { FrameReader, FrameType, FrameWriter } from "../../protocol/frame.ts"
import { LOG_ANSWER_BYTES_MAX } from "../../protocol/limits.ts"
import {
  decodeLines,
  encodeLines,
  LogCollector,
  type PrintedLine,
} from "../../protocol/log-lines.ts"
import { batchOf, standingOn } from "../support/frames.ts"
import { refusal } from "../support/sent.ts"

const LINES: PrintedLine[] = [
  { stream: "stdout", timeMs: 1_732_000_000_000, text: "one" },
  { stream: "stderr", timeMs: 0, text: 'é "two"\u2028\u0000' },
]

describe("printed lines", () => {
  test("arrive as they were printed", () => {
    expect(decodeLines(encodeLines(LINES))).toEqual(LINES)
    expect(decodeLines(encodeLines([]))).toEqual([])
  })

  test.each(["", "{}", "null", "[1]", '[1,1,"a",2]', '[1,3,"a"]', '["1",1,"a"]', "[1,1,5]"])(
    "%p are none",
    (text) => void refusal("INVALID_ARGUMENT", () => decodeLines(text)),
  )
})

function frames(collector: LogCollector): FrameReader {
  const writer = new FrameWriter()
  collector.writeTo(writer)
  const frame = new FrameReader()
  frame.open(writer.take())
  return frame
}

describe("LogCollector", () => {
  test("hands on the frames that it was given, in order", () => {
    const collector = new LogCollector()
    for (const line of LINES) {
      const payload = encodeLines([line])
      collector.add(standingOn(batchOf(FrameType.log, { id: 5, target: 1, payload })))
    }
    const frame = frames(collector)
    const seen: PrintedLine[] = []
    while (frame.next()) seen.push(...decodeLines(frame.text))
    expect(seen).toEqual(LINES)
    expect(frames(new LogCollector()).next()).toBe(false)
  })

  test("is bounded, and says how many lines it dropped", () => {
    const collector = new LogCollector()
    const payload = encodeLines([{ stream: "stdout", timeMs: 1, text: "x".repeat(100_000) }])
    const batch = batchOf(FrameType.log, { target: 1, timeoutMs: 2, payload })
    for (let i = 0; i < 20; i++) collector.add(standingOn(batch))
    const frame = frames(collector)
    let [lines, dropped] = [0, 0]
    while (frame.next()) {
      lines += decodeLines(frame.text).length
      dropped += frame.timeoutMs
    }
    expect(frame.bytes.length).toBeLessThan(LOG_ANSWER_BYTES_MAX + 1_000)
    expect(lines + dropped).toBe(20 * 3)
    expect(lines).toBe(10)
  })
})
