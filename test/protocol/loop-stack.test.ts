import { expect, test } from "bun:test"
import { LOOP_STACK_FRAME_LENGTH_MAX, LOOP_STACK_FRAMES_MAX } from "../../protocol/limits.ts"
import { encodeLoopStack, readLoopStack } from "../../protocol/loop-stack.ts"

const FRAMES = ["hashAll (/app/jobs.ts:12:5)", "/app/ü.ts:3:1"]

test("readLoopStack() reads what encodeLoopStack() wrote", () => {
  expect(readLoopStack(encodeLoopStack(FRAMES))).toEqual(FRAMES)
  expect(readLoopStack(encodeLoopStack([]))).toEqual([])
})

test("encodeLoopStack() keeps to the limits, and to one line a frame", () => {
  const long = "x".repeat(LOOP_STACK_FRAME_LENGTH_MAX + 1)
  const many = Array.from({ length: LOOP_STACK_FRAMES_MAX + 1 }, () => long)
  const stack = readLoopStack(encodeLoopStack(many))
  expect(stack).toHaveLength(LOOP_STACK_FRAMES_MAX)
  expect(stack[0]).toHaveLength(LOOP_STACK_FRAME_LENGTH_MAX)
  expect(readLoopStack(encodeLoopStack(["a\nb\u001b[2J (/x.ts:1:1)"]))).toEqual([
    "a b [2J (/x.ts:1:1)",
  ])
})

test("readLoopStack() keeps to the limits, whatever a process says", () => {
  const hostile = Buffer.from(`${"\n".repeat(9)}${"y".repeat(1_000_000)}\n`.repeat(2))
  for (const frame of readLoopStack(hostile)) {
    expect(frame.length).toBeLessThanOrEqual(LOOP_STACK_FRAME_LENGTH_MAX)
  }
  expect(readLoopStack(Buffer.from("z\n".repeat(1_000)))).toHaveLength(LOOP_STACK_FRAMES_MAX)
  expect(readLoopStack(Buffer.from([0xff, 0x00, 0xfe]))).toEqual(["\ufffd \ufffd"])
})
