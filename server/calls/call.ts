import type { Timed } from "../../protocol/deadlines.ts"
import type { BunhouseError } from "../../protocol/errors.ts"
import type { FrameReader } from "../../protocol/frame.ts"
import type { Part } from "../../protocol/parts/part.ts"
import type { Credit } from "../../protocol/streams/credit.ts"
import type { CallQueue } from "./call-queue.ts"
import type { Lane } from "./lane.ts"
import type { Blocked } from "./nesting.ts"
import type { EnvLink, FunctionRoute } from "./route.ts"

/**
 * One call in flight, from admission until nothing about it is open any more.
 *
 *     waiting ──▶ sent ──▶ (closed)        the env process replied, or was lost
 *      │   ▲        └────▶ abandoned ──▶ (closed)
 *      │   └─ preparing ◀─ waiting          its arguments are results of other calls, which its env process makes (C5)
 *      └────────────────▶ (closed)          deadline, cancel or lost caller before it was sent
 *
 * Invariants:
 * C1. The caller hears of a call exactly once: `caller` is taken away at that moment.
 * C2. A `waiting` call without a `link` never reached an env process, so its end can say `ran: "no"`.
 * C3. An `abandoned` call still occupies its place in the env: the place is free again only when the env process
 *     says so or is gone. (Or cut off from the broker: then it gives up by itself all that it runs.)
 * C4. A call belongs to the process that it was sent to, also when the env is served by another one meanwhile: only that
 *     process can answer it, is told of its cancel, or loses it.
 * C5. A call occupies no place while its process waits for results of others: these may need that very place. Once it has
 *     them, the call waits for a place like any other, but the process keeps its arguments. It did not run, but those did,
 *     so its end says `ran: "maybe"`.
 */
export type CallState = "waiting" | "preparing" | "sent" | "abandoned" | "closed"

export class Call implements Timed<Call> {
  state: CallState = "waiting"
  /** Some of its arguments are results of calls that its env process makes first (C5). */
  readonly isLater: boolean
  /** Id on the daemon's side, set when the table opens it. */
  id = 0
  /** The frame as it came, while the call waits. */
  frame: Uint8Array | undefined = undefined
  /** What the caller grants of the result's stream, while the call waits. */
  credit: Credit | undefined = undefined
  /** Where the call waits; its function may be switched to another place meanwhile. */
  queue: CallQueue | undefined = undefined
  /** Whose place the call occupies, once it has one. */
  lane: Lane | undefined = undefined
  /** Of its frame, once it was sent; before, of what will follow the frame in parts. */
  bytes = 0
  /** The process that it was sent to (C4). */
  link: EnvLink | undefined = undefined
  /** Of the function, as it was when the call was sent. */
  version: string | undefined = undefined
  /** Who is blocked until this call ends, where the daemon was told so. */
  blocked: Blocked | undefined = undefined
  /** Who takes what the caller says of large payloads, where it is not the env process. */
  payloads: PayloadTaker | undefined = undefined
  /** Neighbours in the same queue. */
  next: Call | undefined = undefined
  previous: Call | undefined = undefined

  dueAt = Number.POSITIVE_INFINITY
  timedList: Timed<Call>["timedList"] = undefined
  timedNext: Call | undefined = undefined
  timedPrevious: Call | undefined = undefined

  /** Whom to tell; undefined once told (C1). */
  caller: Caller | undefined
  /** The caller's own id of the call. */
  readonly callerId: number
  readonly route: FunctionRoute
  /** With the daemon's boot id this is the public call id. */
  readonly serial: number

  constructor(
    caller: Caller,
    callerId: number,
    route: FunctionRoute,
    serial: number,
    isLater = false,
  ) {
    this.isLater = isLater
    this.caller = caller
    this.callerId = callerId
    this.route = route
    this.serial = serial
  }

  /** Whether anything of it may have run. */
  get ran(): "no" | "maybe" {
    return this.link === undefined ? "no" : "maybe" // C2, C5
  }

  /** The process that has it and may hear more about it; undefined while there is none, or it cannot be reached. */
  get listener(): EnvLink | undefined {
    const isOpen = this.state !== "abandoned" && this.state !== "closed"
    return isOpen && this.link?.isReachable === true ? this.link : undefined
  }

  /** It goes to the env process `link`, as a frame of so many bytes. */
  reach(link: EnvLink, bytes: number): void {
    this.bytes += bytes
    link.awaited++
    this.link = link
    this.version = this.route.info.version
  }

  /** It takes a place. */
  occupy(lane: Lane): void {
    lane.take(this.bytes)
    this.lane = lane
    this.state = "sent"
  }
}

/** The other end of the large payloads of one call. */
export interface PayloadTaker {
  /** A part of the arguments, for which there was credit. The bytes are valid as long as the batch's are. */
  part(part: Part): void
  /** The caller takes so many bytes more of the result. */
  granted(bytes: number): void
}

/** Who made a call: a WebSocket connection, an env process, or one HTTP request. */
export interface Caller {
  /** Forwards the reply or error frame that `frame` stands on. */
  deliver(callerId: number, frame: FrameReader, call: Call): void
  /** Forwards the log frame that `frame` stands on: what the function printed. The call goes on. */
  log(callerId: number, frame: FrameReader, call: Call): void
  /** Forwards the items, part or credit frame that `frame` stands on; the call goes on. */
  flow(callerId: number, frame: FrameReader, call: Call): void
  /** The platform failed the call. */
  fail(callerId: number, error: BunhouseError, call: Call): void
  /** The call goes on, and `frame` stands on a report of its progress. Most callers do not want to know. */
  progressed?(frame: FrameReader): void
}
