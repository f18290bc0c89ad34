import { asBunhouseError, BunhouseError, encodeErrorRecord } from "../../protocol/errors.ts"
import { Fields, parseJson } from "../../protocol/fields.ts"
import { CONNECTION_ID, FrameReader, FrameType } from "../../protocol/frame.ts"
import { BODY_BYTES_MAX, LOG_UNREAD_BYTES_MAX } from "../../protocol/limits.ts"
import { encodeLines } from "../../protocol/log-lines.ts"
import { Outbox } from "../../protocol/outbox.ts"
import { slotOf } from "../../protocol/slots.ts"
import type { Call, Caller } from "../calls/call.ts"
import type { CallDesk } from "../calls/call-desk.ts"
import { forward } from "../calls/flow.ts"
import type { FunctionRoute } from "../calls/route.ts"

/**
 * One connection of a client, a WebSocket or an env process by way of the broker: its names, its calls, its replies.
 *
 * Invariants:
 * K1. A message that breaks the protocol is answered with an error frame about the connection, and the connection is
 *     closed; other connections do not notice.
 * K2. When the connection closes, its calls are cancelled, but for those with an idempotency key.
 * K3. Log frames for a caller that does not read are dropped and counted; they never fill its connection.
 */
export class SocketCaller implements Caller {
  readonly #peer: SocketPeer
  readonly #desk: CallDesk
  readonly #find: (env: string, fn: string) => FunctionRoute
  readonly #frame = new FrameReader()
  readonly #targets = new Map<number, Target>()
  /** By the slot of the client's id. */
  readonly #calls: (Call | undefined)[] = []
  readonly #outbox: Outbox
  /** Lines of calls in flight that this caller did not read fast enough. */
  readonly #droppedLines = new Map<number, number>()
  #isRefused = false

  constructor(options: {
    readonly peer: SocketPeer
    readonly desk: CallDesk
    /** Throws NOT_FOUND. */
    readonly find: (env: string, fn: string) => FunctionRoute
    /** Payload of the hello frame. */
    readonly hello: Uint8Array
    /** Larger batches are not made. Default BODY_BYTES_MAX. */
    readonly messageBytesMax?: number
  }) {
    this.#peer = options.peer
    this.#desk = options.desk
    this.#find = options.find
    this.#outbox = new Outbox({
      send: (batch) => this.#peer.send(batch),
      messageBytesMax: options.messageBytesMax ?? BODY_BYTES_MAX,
      flushAfter: "turn",
    })
    this.#outbox.open(0).write(FrameType.hello, 0, 0, 0, 0, 0, options.hello)
  }

  receive(bytes: Uint8Array): void {
    if (this.#isRefused) return
    const frame = this.#frame
    try {
      frame.open(bytes)
      while (frame.next()) this.#handle(frame)
    } catch (cause) {
      this.#refuse(asBunhouseError(cause, "reading a message"))
    }
  }

  /** K2. */
  closed(): void {
    for (const call of this.#calls) {
      if (call !== undefined) this.#desk.leave(call)
    }
    this.#calls.length = 0
    for (const { route } of this.#targets.values()) route?.letGo()
    this.#targets.clear()
  }

  deliver(callerId: number, frame: FrameReader, call: Call): void {
    this.#calls[slotOf(callerId)] = undefined
    if (this.#droppedLines.size > 0) this.#tellDropped(callerId, call)
    this.#outbox.forward(frame, callerId, 0, 0, call.serial)
  }

  /** K3. */
  log(callerId: number, frame: FrameReader, call: Call): void {
    const lost = this.#droppedLines.get(callerId) ?? 0
    if (this.#peer.unreadBytes > LOG_UNREAD_BYTES_MAX) {
      this.#droppedLines.set(callerId, lost + frame.target + frame.timeoutMs)
      return
    }
    if (lost > 0) this.#droppedLines.delete(callerId)
    const dropped = frame.timeoutMs + lost
    this.#outbox
      .open(frame.end - frame.start)
      .copyFrom(frame, callerId, frame.target, dropped, call.serial)
  }

  fail(callerId: number, error: BunhouseError, call: Call): void {
    this.#calls[slotOf(callerId)] = undefined
    if (this.#droppedLines.size > 0) this.#tellDropped(callerId, call)
    const record = encodeErrorRecord(error)
    this.#outbox.open(record.length).write(FrameType.error, 0, callerId, 0, 0, call.serial, record)
  }

  #tellDropped(callerId: number, { serial }: Call): void {
    const dropped = this.#droppedLines.get(callerId)
    if (dropped === undefined) return
    this.#droppedLines.delete(callerId)
    const none = encodeLines([])
    this.#outbox.openText(none).writeText(FrameType.log, callerId, 0, dropped, serial, none)
  }

  flow(callerId: number, frame: FrameReader, call: Call): void {
    const { target, timeoutMs } = frame
    const serial = frame.type === FrameType.credit ? frame.serial : call.serial
    this.#outbox.forward(frame, callerId, target, timeoutMs, serial)
  }

  #handle(frame: FrameReader): void {
    switch (frame.type) {
      case FrameType.call:
        return this.#call(frame)
      case FrameType.bind:
        return this.#bind(frame)
      case FrameType.cancel:
        return this.#cancel(frame.id)
      case FrameType.items:
      case FrameType.part:
      case FrameType.credit:
        return this.#flow(frame)
      default:
        throw new BunhouseError(
          "PROTOCOL_ERROR",
          `a client may not send frames of type ${frame.type}`,
        )
    }
  }

  #call(frame: FrameReader): void {
    const target = this.#targets.get(frame.target)
    if (target === undefined) {
      throw new BunhouseError("PROTOCOL_ERROR", `call to the unbound target ${frame.target}`)
    }
    const route = this.#resolve(target, frame)
    if (route === undefined) return
    const slot = slotOf(frame.id)
    if (this.#calls[slot] !== undefined) {
      throw new BunhouseError("PROTOCOL_ERROR", `the call id ${frame.id} is in use`)
    }
    this.#calls[slot] = this.#desk.submit(this, frame, route)
  }

  /** The route of a target; where there is none, the call of `frame` has been refused. */
  #resolve(target: Target, frame: FrameReader): FunctionRoute | undefined {
    if (target.route !== undefined && !target.route.isRemoved) return target.route
    try {
      return this.#hold(target)
    } catch (cause) {
      const record = encodeErrorRecord(asBunhouseError(cause, "finding a function"))
      this.#outbox.open(record.length).write(FrameType.error, 0, frame.id, 0, 0, 0, record)
      return undefined
    }
  }

  /** Throws NOT_FOUND, STATE_LOST. */
  #hold(target: Target): FunctionRoute {
    target.route = this.#find(target.env, target.function)
    target.route.hold()
    return target.route
  }

  #bind(frame: FrameReader): void {
    if (this.#targets.size >= TARGETS_MAX && !this.#targets.has(frame.target)) {
      throw new BunhouseError("PROTOCOL_ERROR", `more than ${TARGETS_MAX} targets are bound`)
    }
    const names = parseJson("the names of a target", frame.text)
    const fields = new Fields("the names of a target", names)
    this.#targets.get(frame.target)?.route?.letGo()
    const target = { env: fields.text("env"), function: fields.text("function"), route: undefined }
    this.#targets.set(frame.target, target)
    try {
      // Its calls need not come here, where they stay in an env process: the binding says that it is in use.
      this.#hold(target)
    } catch {
      // A call is told.
    }
  }

  #cancel(id: number): void {
    const slot = slotOf(id)
    const call = this.#calls[slot]
    // A cancel that crosses its reply finds nothing, or a later call under the slot.
    if (call === undefined || call.callerId !== id) return
    this.#calls[slot] = undefined
    this.#droppedLines.delete(id)
    this.#desk.cancel(call)
  }

  /** What crosses the reply of its call finds nothing, like a cancel. */
  #flow(frame: FrameReader): void {
    const call = this.#calls[slotOf(frame.id)]
    if (call?.callerId === frame.id) forward(call, frame)
  }

  /** K1. */
  #refuse(error: BunhouseError): void {
    this.#isRefused = true
    const record = encodeErrorRecord(error)
    this.#outbox.open(record.length).write(FrameType.error, 0, CONNECTION_ID, 0, 0, 0, record)
    this.#outbox.flush()
    this.#peer.close(1002, error.code)
  }
}

/** The side of a connection that a caller needs. */
export interface SocketPeer {
  send(batch: Uint8Array): void
  close(code: number, reason: string): void
  /** Sent and not read yet. */
  readonly unreadBytes: number
}

interface Target {
  readonly env: string
  readonly function: string
  route: FunctionRoute | undefined
}

const TARGETS_MAX = 100_000
