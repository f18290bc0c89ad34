import { describe, expect, test } from "bun:test"
import { ENV_CRASH_WINDOW_MS, ENV_CRASHES_MAX } from "../../../protocol/limits.ts"
import { CrashHistory } from "../../../server/envs/crash-history.ts"

describe("CrashHistory", () => {
  test("restarts at once after the first crash, then after growing waits, then not any more", () => {
    const history = new CrashHistory()
    const answers = Array.from({ length: ENV_CRASHES_MAX }, (_, i) => history.record(i, () => 1))
    expect(answers).toEqual([0, 200, 400, 800, "give up"])
    expect(history.count).toBe(ENV_CRASHES_MAX)
  })

  test("draws half of each wait by lot, so that envs that died together do not return together", () => {
    for (const [drawn, wait] of [
      [0, 100],
      [0.5, 150],
      [1, 200],
    ] as const) {
      const history = new CrashHistory()
      history.record(0)
      expect(history.record(1, () => drawn)).toBe(wait)
    }
  })

  test("forgets crashes as they leave the window", () => {
    const history = new CrashHistory()
    for (let i = 0; i < ENV_CRASHES_MAX - 1; i++) history.record(i)
    expect(history.record(ENV_CRASH_WINDOW_MS + ENV_CRASHES_MAX)).toBe(0)
    expect(history.count).toBe(1)
  })

  test("never gives up on an env that crashes once in a window", () => {
    const history = new CrashHistory()
    const answers = Array.from({ length: 50 }, (_, i) => history.record(i * ENV_CRASH_WINDOW_MS))
    expect(new Set(answers)).toEqual(new Set([0]))
  })

  test("starts anew when it is told to forget", () => {
    const history = new CrashHistory()
    for (let i = 0; i < ENV_CRASHES_MAX; i++) history.record(i)
    history.forget()
    expect(history.count).toBe(0)
    expect(history.record(10)).toBe(0)
  })
})
