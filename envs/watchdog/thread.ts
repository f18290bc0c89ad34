import { writeSync } from "node:fs"
import type { WatchLine } from "../../protocol/env-control.ts"
import { LOOP_BLOCKED_TELL_MS } from "../../protocol/limits.ts"
import {
  blockingCall,
  blockingFunction,
  NO_CALL,
  ticks,
  type WatchdogStart,
  Word,
} from "./heart.ts"

/**
 * The watchdog of an event loop: sleeps while the loop has no calls, and looks at it every now and then while it has some.
 * What it sees while the loop is blocked it tells the daemon through a pipe, because all other ways lead through the loop.
 */
declare const self: Worker

self.addEventListener("message", ({ data }: MessageEvent<WatchdogStart>) => watch(data))

function watch({ memory, loopBlockMs, fd }: WatchdogStart): never {
  const words = new Int32Array(memory)
  const restMs = Math.max(1, Math.floor(loopBlockMs / 4))
  const own = new Int32Array(new SharedArrayBuffer(4))
  let told = 0
  let seen = 0
  let steps = 0
  let quietSince = 0
  Atomics.store(words, Word.watched, 1)
  for (;;) {
    Atomics.wait(words, Word.beat, 0) // Z1
    Atomics.wait(own, 0, 0, restMs)
    const beat = Atomics.load(words, Word.beat)
    if (beat !== seen) told = 0
    seen = beat
    const now = ticks()
    if (Atomics.load(words, Word.steps) !== steps) quietSince = now
    steps = Atomics.load(words, Word.steps)
    const silentMs = beat === 0 ? 0 : Math.min((now - beat) | 0, (now - quietSince) | 0)
    if (silentMs < loopBlockMs) continue
    Atomics.store(words, Word.late, 1) // Z2
    // Once when it is noticed, and once when it lasts.
    const isDue = told === 0 || (told === 1 && silentMs >= LOOP_BLOCKED_TELL_MS)
    if (!isDue) continue
    told = silentMs >= LOOP_BLOCKED_TELL_MS ? 2 : 1
    tell(fd, blockingCall(words), blockingFunction(words), silentMs)
  }
}

function tell(fd: number, call: number, fn: number, ms: number): void {
  const line: WatchLine = {
    ...(call !== NO_CALL && { id: call >>> 0 }),
    ...(fn !== 0 && { functionNumber: fn }),
    ms,
  }
  try {
    writeSync(fd, `${JSON.stringify(line)}\n`)
  } catch {
    // A pipe that is full or gone: the daemon finds out by asking.
  }
}
