import { BROKER_CRASHES_MAX, BROKER_RESTART_WAIT_MS_MAX } from "../protocol/limits.ts"

/**
 * Milliseconds to wait before a restart, by the number of crashes in a row: none after the first, then growing, half of
 * it random. Undefined after too many: there will be no restart.
 */
export function restartWaitMs(
  crashes: number,
  random: () => number = Math.random,
): number | undefined {
  if (crashes > BROKER_CRASHES_MAX) return undefined
  if (crashes === 1) return 0
  const waitMs = Math.min(FIRST_WAIT_MS * 2 ** (crashes - 2), BROKER_RESTART_WAIT_MS_MAX)
  return Math.round(waitMs / 2 + (random() * waitMs) / 2)
}

const FIRST_WAIT_MS = 50
