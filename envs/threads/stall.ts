import type { PoolThread } from "./pool-thread.ts"
import type { ProcessorTime } from "./processor-time.ts"

/**
 * Whether a thread that answers nothing runs a long call. A clock cannot tell: on a busy machine a thread waits for a
 * processor longer than most calls take, and the engine's collector pauses it.
 */
export interface Mark {
  /** What the thread had done, and had to do, when it last got on. */
  readonly steps: number
  readonly tasks: number
  /** Since then, without a step. */
  readonly quietTicks: number
  /** At the last of these. */
  readonly time: ProcessorTime | undefined
  /** What it had run at the first of them. */
  readonly ranMs: number | undefined
}

export function markOf({ steps, tasks }: PoolThread): Mark {
  return { steps, tasks, quietTicks: 0, time: undefined, ranMs: undefined }
}

/** The mark of a thread that has not ended all that it had at `mark`. */
export function behindMark(thread: PoolThread): Mark {
  return { ...markOf(thread), time: thread.processorTime }
}

/**
 * `before` and `now` are the marks of two such ticks: whether its calls held it up, rather than that it did not get a
 * processor.
 */
export function isHeldUp({ time: before }: Mark, { time }: Mark): boolean {
  if (time === undefined) return true
  return before !== undefined && (!time.isRunnable || time.ranMs - before.ranMs >= HELD_UP_MS)
}

/** The mark after one more tick without a step. */
export function quietMark({ processorTime: time }: PoolThread, mark: Mark): Mark {
  return { ...mark, quietTicks: mark.quietTicks + 1, time, ranMs: mark.ranMs ?? time?.ranMs }
}

/** `before` and `now` are the marks of two ticks without a step. */
export function isStalled(
  { isLoading }: PoolThread,
  before: Mark,
  { quietTicks, time }: Mark,
): boolean {
  if (isLoading) return quietTicks > LOADING_TICKS_MAX
  if (quietTicks < STALLED_TICKS) return false
  if (time === undefined || before.time === undefined) return true
  const isAsleep = !time.isRunnable && !before.time.isRunnable
  return isAsleep || time.ranMs - (before.ranMs ?? 0) >= LONG_MS
}

/** Shorter may be a collection of garbage. */
const STALLED_TICKS = 3
/** A call is long when it has used a processor for so long. */
const LONG_MS = 4
const LOADING_TICKS_MAX = 25
/** Half a tick. */
const HELD_UP_MS = 1
