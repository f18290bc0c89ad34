import { LOOP_STACK_FRAMES_MAX, LOOP_STACK_FRAME_LENGTH_MAX } from "./limits.ts"

/**
 * Where a loop was while it was blocked, as the payload of a report: UTF-8 text, a line for each frame, innermost first,
 * as `hashAll (/app/jobs.ts:12:5)`. Both ends keep it within its limits; a reader has no better use for what is wrong in it.
 */
export function encodeLoopStack(frames: readonly string[]): Uint8Array {
  return Buffer.from(frames.slice(0, LOOP_STACK_FRAMES_MAX).map(printable).join("\n"))
}

export function readLoopStack(payload: Uint8Array): readonly string[] {
  const text = Buffer.from(payload.subarray(0, BYTES_MAX)).toString()
  return text.split("\n", LOOP_STACK_FRAMES_MAX).flatMap((frame) => {
    return frame === "" ? [] : [printable(frame)]
  })
}

/** A function may have any name. */
function printable(frame: string): string {
  return frame.replaceAll(/\p{Cc}/gu, " ").slice(0, LOOP_STACK_FRAME_LENGTH_MAX)
}

/** UTF-8 takes at most three bytes for each of JavaScript's characters. */
const BYTES_MAX = LOOP_STACK_FRAMES_MAX * (3 * LOOP_STACK_FRAME_LENGTH_MAX + 1)
