import { BunhouseError } from "../../protocol/errors.ts"
import { ReportKind } from "../../protocol/frame.ts"
import type { Report } from "../calls/report.ts"
import type { Env } from "./env.ts"
import type { EnvLife } from "./life.ts"
import { LoopBlocks } from "./loop-blocks.ts"
import type { EnvParts } from "./parts.ts"

/**
 * What the processes of an env have noticed about themselves: blocked loops, and how many threads were ended by force.
 * Each of these leaves something behind, so after many of them the process is replaced: when nobody waits for a call
 * there, and never while instances of classes live there, whose state would go.
 */
export class Health {
  readonly loopBlocks: LoopBlocks
  readonly #env: Env
  readonly #parts: EnvParts
  readonly #worn = new WeakSet<EnvLife>()

  constructor(env: Env, parts: EnvParts) {
    this.#env = env
    this.#parts = parts
    this.loopBlocks = new LoopBlocks((event, facts) => parts.log(event, facts))
  }

  /** `isOver` unless the report is about a loop that is blocked still. */
  reported(process: EnvLife, report: Report, isOver: boolean): void {
    if (report.kind === ReportKind.threadFree) this.#parts.resume(this.#env)
    else if (report.kind === ReportKind.forcedEnds) {
      this.#worn.add(process)
      this.look()
    } else {
      // What waits in the daemon waits for the process that serves.
      const waiting = process === this.#env.process ? this.#env.backlog.calls : 0
      this.loopBlocks.add(this.#env.name, report, waiting, isOver)
    }
  }

  /** Rejects where a process that is about to be replaced has got state meanwhile. */
  readonly mayReplace = async (): Promise<void> => {
    if (this.#env.instances.size === 0) return
    throw new BunhouseError("UNAVAILABLE", "instances of classes live in the env process")
  }

  /** Has the process replaced if that is due. */
  look(): void {
    const { process, state, instances, isChanging } = this.#env
    if (process === undefined || state !== "ready" || isChanging) return
    if (process.awaited > 0 || instances.size > 0) return
    // One attempt: where it fails, the process goes on, and reports again.
    if (this.#worn.delete(process)) void this.#parts.replace(this.#env, process)
  }
}
