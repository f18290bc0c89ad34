import type { Timed } from "../protocol/deadlines.ts"
import type { CallExtra } from "../protocol/extra.ts"
import type { FrameReader } from "../protocol/frame.ts"
import type { OwnConnection } from "./own-connection.ts"
import type { LoadedFunction } from "./run-call.ts"

/** A call that a function makes to another one of its process, until that one is done (own-calls.ts). */
export class OwnCall implements Timed<OwnCall> {
  /** The process's own, set when its table opens it. */
  id = 0
  /** Its caller has neither heard of its end nor given it up. */
  isAwaited = true
  dueAt = Number.POSITIVE_INFINITY
  timedList: Timed<OwnCall>["timedList"] = undefined
  timedNext: OwnCall | undefined = undefined
  timedPrevious: OwnCall | undefined = undefined
  readonly connection: OwnConnection
  /** Under which the connection knows it. */
  readonly callerId: number
  readonly serial: number
  /** The daemon's id of the call that it is made in. */
  readonly around: number
  readonly fn: OwnFunction
  readonly extra: CallExtra | undefined
  /** Of its frame. */
  readonly bytes: number

  /** Of the frame by which the connection makes it. */
  constructor(frame: FrameReader, parts: OwnCallParts) {
    this.callerId = frame.id
    this.bytes = frame.end - frame.start
    this.connection = parts.connection
    this.around = parts.around
    this.serial = parts.serial
    this.fn = parts.fn
    this.extra = parts.extra
  }
}

interface OwnCallParts {
  readonly connection: OwnConnection
  readonly around: number
  readonly serial: number
  readonly fn: OwnFunction
  readonly extra: CallExtra | undefined
}

/** What such calls reach: what is loaded here, or what threads load. */
export type OwnFunction = LoadedFunction | ThreadFunction

/** A function that runs on threads. */
export class ThreadFunction {
  readonly name: string
  readonly version: string

  constructor(name: string, version: string) {
    this.name = name
    this.version = version
  }
}
