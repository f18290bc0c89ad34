import { FrameType, ReportKind } from "../../protocol/frame.ts"
import { CANCEL_GRACE_MS, FORCED_ENDS_MAX } from "../../protocol/limits.ts"
import type { ReplySink } from "../run-call.ts"

/**
 * Threads of an env process that are ended by force, and what the daemon has to know of that.
 *
 * Bun ends a thread that runs JavaScript within milliseconds. One that is in native code (`Bun.sleepSync`, `spawnSync`, a
 * driver) ends when that returns, which may be never: then only the end of the process helps, and the daemon brings that
 * about. Threads that were ended leave something behind each time, so that after many the process is to be replaced.
 */
export class ForcedEnds {
  readonly #sink: ReplySink
  #count = 0

  constructor(sink: ReplySink) {
    this.#sink = sink
  }

  /** A thread was told to end while it ran the call `id`. What is returned is to be called once it has ended. */
  begun(id: number): () => void {
    if (++this.#count % FORCED_ENDS_MAX === 0) this.#report(ReportKind.forcedEnds, id, this.#count)
    const timer = setTimeout(
      () => this.#report(ReportKind.threadStuck, id, CANCEL_GRACE_MS),
      CANCEL_GRACE_MS,
    )
    return () => clearTimeout(timer)
  }

  #report(kind: number, id: number, amount: number): void {
    this.#sink.open(0).write(FrameType.report, 0, id, kind, amount, 0)
  }
}
