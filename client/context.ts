import { BunhouseError } from "../protocol/errors.ts"
import type { BlockedCall } from "../protocol/extra.ts"
import type { CancelSource } from "./connection/aborts.ts"
import type { OwnWay } from "./connection/transport.ts"
import type { Daemon } from "./daemon.ts"
import type { Link } from "./link.ts"

/** What a function can know about the call that it runs for. */
export interface CallContext {
  /** Fires when the call is cancelled, when its deadline passes, or when its caller goes away. */
  readonly signal: AbortSignal
  /** When the call must be finished; undefined when it may take as long as it likes. */
  readonly deadline: Date | undefined
  /** The id under which the caller, the daemon's log and errors know this call. */
  readonly callId: string
  readonly env: string
  readonly function: string
  /**
   * Says how far the call has come, 0 to 1, with a message of up to 500 characters: `job.status()` shows the last report.
   * Of more than about 20 reports a second some are left out.
   *
   * @throws {BunhouseError} INVALID_ARGUMENT for what is no number from 0 to 1.
   */
  readonly progress: (fraction: number, message?: string) => void
  /** The daemon that runs the function, with the same surface as `here` elsewhere. */
  readonly here: Daemon
  /** How many calls of remote functions are around this one: 0 for one that was made from outside. */
  readonly depth: number
  /** The `callId` of the outermost of them; its own for a call that was made from outside. */
  readonly rootCallId: string
  /** With which the caller made this call: a stem for the keys of calls that the function makes itself. */
  readonly idempotencyKey: string | undefined
}

/** The call that surrounds others, as they see it. */
export interface SurroundingCall extends CallContext {
  /** Under which daemon and env process know it. */
  readonly id: number
  /** Under which the daemon knows it, or the outermost call around it that stays in its env process. */
  readonly daemonId: number
  /** Who is blocked while its function is. */
  readonly blocked: BlockedCall
  /** What `signal` tells, for whoever asks for each call. */
  readonly cancellation: CancelSource
  /** Milliseconds until the deadline, at least 1; 0 for none. */
  readonly leftMs: number
  /** Its function has returned. What that has left running makes calls of its own. */
  readonly hasEnded: boolean
}

/**
 * The call that the surrounding code runs for. Inside of a remote function only.
 *
 * @throws {BunhouseError} INVALID_ARGUMENT outside of a remote function.
 */
export function context(): CallContext {
  const current = surroundingCall()
  if (current !== undefined) return current
  throw new BunhouseError(
    "INVALID_ARGUMENT",
    "context() was called outside of a remote function: it tells about the call that a function runs for",
  )
}

/** Where this copy of the library runs: in a caller's own process, or inside of an env. */
export type RunsIn = "caller" | "env loop" | "env thread"

/** Set once by an env process for its own copy of the library. */
export function runInside(inside: Inside): void {
  runsIn = inside.place
  currentCall = inside.current
  ownWay = inside.way
  ownToken = inside.token
}

/** What an env process tells its own copy of the library. */
interface Inside {
  readonly place: RunsIn
  readonly current: () => SurroundingCall | undefined
  readonly way?: OwnWay
  /** The daemon's token, where it stands in no file. */
  readonly token?: string | undefined
}

/** The token of the daemon that runs this env, where it stands in no file. */
export function tokenInside(): string | undefined {
  return ownToken
}

export function whereAmI(): RunsIn {
  return runsIn
}

/** The call that the surrounding code runs for; undefined outside of a remote function. */
export function surroundingCall(): SurroundingCall | undefined {
  return currentCall()
}

/** The way of this process or thread to its own daemon, where it has one that others have not. */
export function wayInside(): OwnWay | undefined {
  return ownWay
}

/** Told by client/index.ts, whose `here` it is. */
export function provideHere(daemon: Daemon, link: Link): void {
  here = daemon
  hereLink = link
}

/** What `context().here` is. */
export function ownDaemon(): Daemon {
  return here ?? notLoaded()
}

/** All ways to it. */
export function ownLink(): Link {
  return hereLink ?? notLoaded()
}

function notLoaded(): never {
  throw new BunhouseError("INTERNAL", "the library was not loaded as a whole")
}

let runsIn: RunsIn = "caller"
let currentCall: () => SurroundingCall | undefined = () => undefined
let ownWay: OwnWay | undefined
let ownToken: string | undefined
let here: Daemon | undefined
let hereLink: Link | undefined
