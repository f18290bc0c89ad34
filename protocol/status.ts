import type { ShownEnvSpec } from "./env-spec.ts"
import type { FunctionInfo } from "./function-spec.ts"

/** What `here.status()`, `GET /v1/status` and `bunhouse status --json` answer. */
export interface DaemonStatus {
  readonly version: string
  readonly protocol: number
  readonly pid: number
  readonly url: string
  readonly home: string
  readonly startedAt: string
  readonly rssBytes: number
  readonly state: "running" | "draining"
  readonly broker: BrokerStatus
  readonly callsInFlight: number
  readonly envs: readonly EnvStatus[]
}

export interface BrokerStatus {
  readonly kind: "embedded" | "external"
  readonly connected: boolean
  readonly server: string
  readonly version: string
  readonly pid?: number
}

/** Life of an env, as a user sees it. */
export type EnvState =
  "stopped" | "installing" | "starting" | "ready" | "waiting to restart" | "failed" | "draining"

export interface EnvStatus {
  readonly name: string
  readonly state: EnvState
  readonly spec: ShownEnvSpec
  /** Working directory of the process. */
  readonly cwd?: string
  /** What is being done to the env, such as "installing 3 packages"; the process that it has serves meanwhile. */
  readonly activity?: string
  /** Processes that were replaced and still finish calls. */
  readonly retiring: number
  readonly pid?: number
  readonly startedAt?: string
  /** Resident memory of the process. */
  readonly rssBytes?: number
  readonly crashes: number
  /** Why the env is failed or waits to restart. */
  readonly reason?: string
  readonly running: number
  readonly queued: number
  /** Calls of its functions to each other that stay in its process. They take no place, and are not among the others. */
  readonly ownCalls: number
  /** Living instances of classes. */
  readonly instances: number
  readonly functions: readonly FunctionInfo[]
  /** Calls that have blocked the event loop, the last few, the latest first. */
  readonly loopBlocks: readonly LoopBlock[]
}

/** An event loop that was blocked for longer than its env's `loopBlockMs`. */
export interface LoopBlock {
  /** When it was noticed. */
  readonly at: string
  readonly ms: number
  /** Who did it; several where one of them did. */
  readonly functions: readonly string[]
  /** False where other calls were on the loop, and may have done it. */
  readonly isCertain: boolean
  /** False while it lasts. */
  readonly isOver: boolean
  /** Other calls that were under way in the env, on threads too, or waited for a place there. */
  readonly delayed: number
  /** Where it was seen, in the files of who wrote it: `hashAll (/app/jobs.ts:12:5)`, innermost first; empty where it was not. */
  readonly stack: readonly string[]
}
