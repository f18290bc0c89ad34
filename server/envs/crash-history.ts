import { ENV_CRASH_WINDOW_MS, ENV_CRASHES_MAX } from "../../protocol/limits.ts"

/**
 * Decides what follows a crash: the first restart comes at once, later ones after growing, jittered waits, and after
 * ENV_CRASHES_MAX crashes within ENV_CRASH_WINDOW_MS none at all.
 */
export class CrashHistory {
  #times: number[] = []

  get count(): number {
    return this.#times.length
  }

  /** Records a crash at `time` (monotonic, ms). Returns the wait before the restart, or "give up". */
  record(time: number, random: () => number = Math.random): number | "give up" {
    this.#times = this.#times.filter((earlier) => time - earlier < ENV_CRASH_WINDOW_MS)
    this.#times.push(time)
    const crashes = this.#times.length
    if (crashes >= ENV_CRASHES_MAX) return "give up"
    if (crashes === 1) return 0
    const wait = Math.min(FIRST_WAIT_MS * 2 ** (crashes - 2), WAIT_MS_MAX)
    // Half fixed, half random: envs that died together do not come back together.
    return wait / 2 + (random() * wait) / 2
  }

  forget(): void {
    this.#times = []
  }
}

const FIRST_WAIT_MS = 200
const WAIT_MS_MAX = 30_000
