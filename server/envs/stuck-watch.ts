import { now } from "../../protocol/deadlines.ts"
import { CANCEL_GRACE_MS, LOOP_STUCK_MS_MAX } from "../../protocol/limits.ts"
import { addressIn, type Report } from "../calls/report.ts"

/**
 * Finds out whether the event loop of an env process is stuck in a call that nobody waits for any more: then nothing but
 * the end of the process stops it. The loop is asked when a call was cancelled there or its deadline passed, and is known to
 * be well once it answers: a function that merely ignores its signal harms nobody.
 *
 * A loop that does not answer within CANCEL_GRACE_MS is stuck for good reason to end the process when the watchdog names a
 * call that nobody waits for, or when nobody waits for any call there. Otherwise somebody's call may be at work, and the
 * loop gets LOOP_STUCK_MS_MAX.
 */
export class StuckWatch {
  readonly #parts: StuckWatchParts
  /** The watchdog's last word, until the loop is heard of. */
  #blocked: Report | undefined
  #isWanted = false
  #isAsking = false

  constructor(parts: StuckWatchParts) {
    this.#parts = parts
  }

  /** A call was abandoned there. */
  look(): void {
    this.#isWanted = true
    if (!this.#isAsking) void this.#ask()
  }

  /** The watchdog says that the loop is blocked. */
  blocked(report: Report): void {
    this.#blocked = report
  }

  /** The process has said something: its loop turns. */
  heard(): void {
    this.#blocked = undefined
  }

  async #ask(): Promise<void> {
    this.#isAsking = true
    while (this.#isWanted) {
      // An answer says nothing about calls that were abandoned after its question.
      this.#isWanted = false
      const since = now()
      while ((await this.#parts.ask(CANCEL_GRACE_MS)) === "silent") {
        if (!this.#isToEnd(now() - since)) continue
        this.#parts.end(this.#reason())
        return
      }
    }
    this.#isAsking = false
  }

  #isToEnd(silentMs: number): boolean {
    if (silentMs >= LOOP_STUCK_MS_MAX) return true
    const { isLoading, awaited } = this.#parts.present()
    const blocker = this.#blocked?.call
    if (blocker !== undefined) return blocker.caller === undefined
    return awaited === 0 && !isLoading
  }

  #reason(): string {
    const who = (this.#blocked && addressIn(this.#blocked)) ?? "a call"
    return `${who} blocked its event loop and could not be stopped, so the process was ended`
  }
}

export interface StuckWatchParts {
  /** Never rejects. `gone` where there is nobody to ask any more, or no way. */
  readonly ask: (patienceMs: number) => Promise<"answered" | "silent" | "gone">
  readonly end: (reason: string) => void
  /** How many calls somebody waits for, and whether code is being loaded. */
  readonly present: () => { readonly awaited: number; readonly isLoading: boolean }
}
