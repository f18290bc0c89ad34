import type { Timed } from "../protocol/deadlines.ts"
import type { FrameReader } from "../protocol/frame.ts"
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
  /** Under which its caller's connection knows it. */
  readonly callerId: number
  readonly serial: number
  /** The daemon's id of the call that it is made in. */
  readonly around: number
  readonly fn: LoadedFunction
  /** Of its frame. */
  readonly bytes: number

  /** Of the frame by which its caller's connection makes it. */
  constructor({ id, serial: around, start, end }: FrameReader, serial: number, fn: LoadedFunction) {
    this.callerId = id
    this.around = around
    this.bytes = end - start
    this.serial = serial
    this.fn = fn
  }
}
