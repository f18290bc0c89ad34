import { now } from "../protocol/deadlines.ts"
import { BunhouseError } from "../protocol/errors.ts"
import { RECONNECT_MS_MAX } from "../protocol/limits.ts"
import type { Control } from "./control.ts"

/**
 * Makes a request that may be made twice. A daemon that was there before and does not answer now may be restarting: it is
 * asked again for RECONNECT_MS_MAX. Where there never was one, the first refusal counts.
 */
export async function patiently<T>(control: Control, request: () => Promise<T>): Promise<T> {
  const giveUpAt = control.hadContact ? now() + RECONNECT_MS_MAX : 0
  for (let waitMs = WAIT_MS_FIRST; ; waitMs = Math.min(waitMs * 2, WAIT_MS_MAX)) {
    try {
      return await request()
    } catch (error) {
      const isAway = error instanceof BunhouseError && AWAY.has(error.code)
      if (!isAway || now() >= giveUpAt) throw error
    }
    await Bun.sleep(waitMs / 2 + (Math.random() * waitMs) / 2)
  }
}

const AWAY = new Set(["NO_DAEMON", "UNAVAILABLE"])
const WAIT_MS_FIRST = 20
const WAIT_MS_MAX = 300
