import { ENV_RETIRED_MAX } from "../../protocol/limits.ts"
import type { EnvLink } from "../calls/route.ts"
import type { EnvLife } from "./life.ts"

/**
 * The processes of one env that were replaced by another: each goes on until nobody waits for a call that it has.
 *
 * Invariant:
 * Y1. There are at most ENV_RETIRED_MAX; of one more, the oldest is ended with the calls that it still has, so that calls
 *     without end do not keep a process for each change of the spec.
 */
export class Retired {
  readonly #processes = new Set<EnvLife>()
  readonly #all = new WeakSet<EnvLife>()

  get size(): number {
    return this.#processes.size
  }

  [Symbol.iterator](): Iterator<EnvLife> {
    return this.#processes.values()
  }

  /** Whether `process` was replaced at some time. */
  knows(process: EnvLife): boolean {
    return this.#all.has(process)
  }

  add(process: EnvLife): void {
    this.#processes.add(process)
    this.#all.add(process)
    process.served.end()
    if (process.awaited === 0) void process.stop(GRACE_MS)
    const [oldest] = this.#processes
    if (this.#processes.size > ENV_RETIRED_MAX) void oldest?.stop(GRACE_MS) // Y1
  }

  /** Nobody waits for a call of `link` any more. */
  finished(link: EnvLink): void {
    for (const process of this.#processes) {
      if (process === link) void process.stop(GRACE_MS)
    }
  }

  /** The process is gone. Says whether it was one of these. */
  delete(process: EnvLife): boolean {
    return this.#processes.delete(process)
  }

  async stop(graceMs: number): Promise<void> {
    await Promise.all([...this.#processes].map((process) => process.stop(graceMs)))
  }
}

const GRACE_MS = 2_000
