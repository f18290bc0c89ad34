import type { LoadRequest } from "../../protocol/env-control.ts"
import type { EnvLink } from "../calls/route.ts"

/** One life of an env process, as its env needs it; process.ts provides it. */
export interface EnvLife extends EnvLink {
  readonly pid: number
  readonly startedAt: Date
  readonly threadsMax: number
  /** Where code for it is written: the packages that it has resolve from here. */
  readonly folder: string
  readonly cwd: string
  /** Resident memory, where the system says so. */
  readonly rssBytes: number | undefined
  /** Settles when the process is gone, and never rejects. */
  readonly exited: Promise<EnvExit>
  /** Settles when the process has said hello; rejects when it exits or is too slow. */
  readonly ready: Promise<void>
  /**
   * Has the process load code; resolves with what it says of that. Rejects with what the process answered, or when it
   * is gone or does not answer.
   */
  load(request: LoadRequest): Promise<unknown>
  /** Has the process forget what `index` names. What cannot be said to it now is not said later. */
  unload(index: number): void
  /** From now on the process is ended when it takes more memory; undefined for no limit. */
  limitMemory(memoryMiB: number | undefined): void
  /** Ends the process: politely first, by force after `graceMs`. Legal at any time; resolves when it is gone. */
  stop(graceMs: number): Promise<void>
  /** Ends the process and its group at once. */
  kill(): void
}

export interface EnvExit {
  /** "exit code 1", "SIGKILL", "out of memory: …": for messages. */
  readonly how: string
  /** The daemon ended it because of calls that could not be stopped otherwise: that is no crash. */
  readonly isForced: boolean
}
