import type { Timed } from "../../protocol/deadlines.ts"
import type { BunhouseError, Ran } from "../../protocol/errors.ts"
import type { FrameReader } from "../../protocol/frame.ts"
import type { FrameAssembly } from "../../protocol/parts/frame-assembly.ts"
import type { PartSender } from "../../protocol/parts/part-sender.ts"
import type { Credit } from "../../protocol/streams/credit.ts"
import type { CancelSource } from "./aborts.ts"

/** What a call needs to be sent. */
export interface OutgoingCall {
  readonly env: string
  readonly function: string
  readonly payload: Uint8Array
  /** Metadata (protocol/extra.ts); no bytes for none. */
  readonly extra: Uint8Array
  /** Of the call frame. */
  readonly flags?: number
  /** Of the call that it is made in, the daemon's id: for an env process that makes calls to itself. */
  readonly around?: number | undefined
  /** 0: none. */
  readonly timeoutMs: number
  readonly signal: CancelSource | undefined
  /** Whoever is told what the function prints; the frame is valid during the call only. `bootId` is for the call's id. */
  readonly logged: ((frame: FrameReader, bootId: string) => void) | undefined
  /** Of a call whose result or arguments are streams. */
  readonly flow?: CallFlow
  /** The reply or error frame; valid during the call only. `callId` is the public one, which begins with `bootId`. */
  readonly replied: (frame: FrameReader, callId: () => string, bootId: string) => void
  /** It must not throw: others that the same signal ends come after it. */
  readonly failed: (error: BunhouseError) => void
}

/** What a call needs beside, to stream. */
interface CallFlow {
  /** For the call frame. */
  readonly flags: number
  /** Granted together with the call, of its result. */
  readonly window: Credit | undefined
  /** The items or credit frame; valid during the call only. */
  readonly received: (frame: FrameReader) => void
}

/** A call between `Connection.call` and its one end. */
export class PendingCall implements Timed<PendingCall> {
  readonly call: OutgoingCall
  id = 0
  /** Its frame was written to a socket. */
  wasSent = false
  /** Of arguments, and of a result, that are too large for one frame. */
  outgoing: PartSender | undefined = undefined
  incoming: FrameAssembly | undefined = undefined
  dueAt = Number.POSITIVE_INFINITY
  timedList: Timed<PendingCall>["timedList"] = undefined
  timedNext: PendingCall | undefined = undefined
  timedPrevious: PendingCall | undefined = undefined

  constructor(call: OutgoingCall) {
    this.call = call
  }

  /** Whether the function may have run: all of the call was written to a socket. */
  get ran(): Ran {
    return this.wasSent && this.outgoing?.isComplete !== false ? "maybe" : "no"
  }
}
