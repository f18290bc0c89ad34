import type { BrokerConnection } from "../../broker/connection.ts"
import type { EnvBootstrap } from "../../protocol/env-control.ts"
import type { BunhouseError } from "../../protocol/errors.ts"
import type { FrameReader } from "../../protocol/frame.ts"
import type { EnvSubjects } from "../../protocol/subjects.ts"
import { PROTOCOL_VERSION } from "../../protocol/version.ts"
import type { About, Report } from "../calls/report.ts"
import type { EnvLink } from "../calls/route.ts"
import type { EnvProcess } from "./process.ts"

/** What a life of an env process is started with, and whom it tells. */
export interface EnvProcessOptions {
  readonly env: string
  readonly incarnation: string
  readonly bootId: string
  readonly space: string
  readonly threadsMax: number
  /** A call that blocks the loop for longer is told of; 0 for never. */
  readonly loopBlockMs: number
  /** Of arguments, and of a result. */
  readonly payloadBytesMax: number
  readonly connection: BrokerConnection
  /** Where the env process finds the broker, and as whom. */
  readonly broker: EnvBootstrap["broker"]
  /** Where code for it is written. */
  readonly folder: string
  /** Working directory; both must be there. */
  readonly cwd: string
  /** Its limit from the beginning; undefined for none. */
  readonly memoryMiB: number | undefined
  /** Further flags for Bun. */
  readonly bunArgs: readonly string[]
  /** Its output is appended here. */
  readonly logFile: string
  /** The daemon's token, for the library inside, where the user gave one: then it stands in no file. */
  readonly token: string | undefined
  /** Environment of the process, complete. */
  readonly variables: Readonly<Record<string, string>>
  /** `frame` stands on the first frame. */
  readonly onReplies: (link: EnvLink, frame: FrameReader) => void
  /** Its connection to the broker was lost, and with it what was on the way. `isReachable` is false meanwhile. */
  readonly onCutOff: (process: EnvProcess) => void
  /** It can be reached again. */
  readonly onReachable: (process: EnvProcess) => void
  /** What it says of one of its calls, by the daemon's id. */
  readonly reportOf: (link: EnvLink, about: About) => Report
  /** It has noticed something about itself; `isOver` unless its loop is still blocked. */
  readonly onReport: (process: EnvProcess, report: Report, isOver: boolean) => void
  /** The broker did not take the calls of `batch`. */
  readonly onUnsent: (batch: Uint8Array, error: BunhouseError) => void
}

/** What the process is told first. */
export function bootstrapOf(
  {
    env,
    incarnation,
    bootId,
    broker,
    threadsMax,
    loopBlockMs,
    payloadBytesMax,
    logFile,
    token,
  }: EnvProcessOptions,
  subjects: EnvSubjects,
  served: string | undefined,
): EnvBootstrap {
  return {
    protocol: PROTOCOL_VERSION,
    env,
    incarnation,
    bootId,
    subjects,
    broker,
    threadsMax,
    loopBlockMs,
    payloadBytesMax,
    logFile,
    ...(served !== undefined && { served }),
    ...(token !== undefined && { token }),
  }
}
