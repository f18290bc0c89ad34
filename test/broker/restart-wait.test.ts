import { expect, test } from "bun:test"
import { restartWaitMs } from "../../broker/restart-wait.ts"
import { BROKER_CRASHES_MAX, BROKER_RESTART_WAIT_MS_MAX } from "../../protocol/limits.ts"

test("restartWaitMs() is 0 after the first crash", () => {
  expect(restartWaitMs(1)).toBe(0)
})

test("restartWaitMs() grows up to its bound, half of it random", () => {
  const longest = Array.from({ length: BROKER_CRASHES_MAX }, (_, i) =>
    restartWaitMs(i + 1, () => 1),
  )
  expect(longest.slice(0, 5)).toEqual([0, 50, 100, 200, 400])
  expect(longest.at(-1)).toBe(BROKER_RESTART_WAIT_MS_MAX)
  expect(restartWaitMs(5, () => 0)).toBe(200)
})

test("restartWaitMs() is undefined after BROKER_CRASHES_MAX crashes", () => {
  expect(restartWaitMs(BROKER_CRASHES_MAX)).toBeNumber()
  expect(restartWaitMs(BROKER_CRASHES_MAX + 1)).toBeUndefined()
})
