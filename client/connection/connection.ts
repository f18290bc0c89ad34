import { Deadlines, remainingMs } from "../../protocol/deadlines.ts"
import {
  asBunhouseError,
  BunhouseError,
  type ErrorCode,
  decodeErrorRecord,
} from "../../protocol/errors.ts"
import {
  CONNECTION_ID,
  FrameFlag,
  FrameReader,
  FrameType,
  type FrameWriter,
} from "../../protocol/frame.ts"
import {
  DEADLINE_GRACE_MS,
  OVERLOADED_RETRY_AFTER_MS,
  PAYLOAD_BYTES_MAX,
} from "../../protocol/limits.ts"
import { callIdOf, readHello } from "../../protocol/hello.ts"
import { Outbox } from "../../protocol/outbox.ts"
import { PARTS_STREAM } from "../../protocol/parts/part.ts"
import { SlotTable } from "../../protocol/slots.ts"
import { RESULT_STREAM, writeCredit } from "../../protocol/streams/credit.ts"
import { Aborts } from "./aborts.ts"
import { cancelled, failure } from "./failures.ts"
import { LargePayloads } from "./large-payloads.ts"
import { type OutgoingCall, PendingCall } from "./pending.ts"
import { Targets } from "./targets.ts"
import type { Channel, OpenTransport, Transport } from "./transport.ts"

/**
 * The one multiplexed connection of a client to its daemon: all calls of a tick leave as one message.
 *
 *     closed ─▶ opening ─▶ open ─▶ closed      opened by the first call, again by the next call after a loss
 *
 * Invariants:
 * M1. Every call ends exactly once: by its reply, its deadline (plus DEADLINE_GRACE_MS if the daemon says nothing), its
 *     signal, or the loss of the connection.
 * M2. When the connection is lost, calls that were sent fail with `ran: "maybe"`; calls that were not wait for the next
 *     connection.
 * M3. The process is kept alive while a call is pending, and not otherwise.
 */
export class Connection {
  readonly #pending = new SlotTable<PendingCall>()
  readonly #deadlines = new Deadlines<PendingCall>((call) => this.#due(call))
  readonly #aborts = new Aborts((call, reason) => this.#aborted(call, reason))
  readonly #frame = new FrameReader()
  readonly #transport: Transport
  readonly #outbox: Outbox
  readonly #large: LargePayloads
  #channel: Channel | undefined
  #isOpening = false
  #bootId = ""
  /** Numbers under which this connection knows functions; a new connection knows none. */
  readonly #targets = new Targets()

  constructor(open: OpenTransport) {
    this.#transport = open({
      message: (bytes, bootId) => this.#receive(bytes, bootId),
      closed: (reason) => this.#lost(reason),
    })
    this.#outbox = new Outbox({
      send: (batch) => this.#channel?.send(batch),
      messageBytesMax: this.#transport.messageBytesMax,
      flushAfter: "microtasks",
    })
    this.#large = new LargePayloads(this.#outbox)
  }

  /** Which life of the daemon it speaks to; empty until the hello. Still known to a call that is told of the loss. */
  get bootId(): string {
    return this.#bootId
  }

  /** Returns undefined when the call has failed already. */
  call(call: OutgoingCall): PendingCall | undefined {
    if (call.signal?.aborted) {
      call.failed(cancelled(call, "no", call.signal.reason))
      return undefined
    }
    if (this.#pending.isFull) {
      const retryAfterMs = OVERLOADED_RETRY_AFTER_MS
      call.failed(failure(call, "OVERLOADED", "no", "too many calls are in flight", retryAfterMs))
      return undefined
    }
    const pending = new PendingCall(call)
    pending.id = this.#pending.open(pending)
    if (this.#pending.size === 1) this.#channel?.ref()
    // The daemon ends the call at its deadline and says so; this is for a daemon that does not.
    this.#deadlines.add(pending, call.timeoutMs === 0 ? 0 : call.timeoutMs + DEADLINE_GRACE_MS)
    if (call.signal !== undefined) this.#aborts.add(pending, call.signal)
    if (this.#channel === undefined) void this.#open()
    else this.#send(pending, call.timeoutMs)
    return pending
  }

  /** The writer for one frame about a call, under `pending.id`; undefined when nobody would hear of it. */
  about(pending: PendingCall, bytes: number): FrameWriter | undefined {
    const isOpen = pending.wasSent && this.#pending.get(pending.id) === pending
    return isOpen ? this.#outbox.open(bytes) : undefined
  }

  /** Sends what was written, now rather than soon: this thread is about to be blocked. */
  flush(): void {
    this.#outbox.flush()
  }

  /** Nobody waits for the call any more. Legal for a call that has ended. */
  abandon(pending: PendingCall): void {
    if (this.#pending.get(pending.id) === pending) this.#giveUp(pending)
  }

  /** This function is not called any more: its number is given to another one. */
  forget(env: string, fn: string): void {
    this.#targets.delete(env, fn)
  }

  /** Closes the channel. Pending calls fail; a later call opens it again. */
  close(): void {
    for (const pending of this.#pending) {
      this.#fail(pending, "CANCELLED", "the connection was closed by this side")
    }
    this.#channel?.close()
  }

  /** `left`: milliseconds until the deadline, 0 for none. */
  #send(pending: PendingCall, left: number): void {
    const { call } = pending
    const target = this.#targetOf(call)
    const { payload, extra, flow, around = CONNECTION_ID } = call
    const logs = call.logged === undefined ? 0 : FrameFlag.logs
    const flags = (call.flags ?? 0) | (flow?.flags ?? 0) | logs
    if (payload.length <= PAYLOAD_BYTES_MAX) {
      this.#outbox
        .open(payload.length + extra.length)
        .write(FrameType.call, flags, pending.id, target, left, around, payload, extra)
    } else {
      this.#large.begin(pending)
      const { length } = payload
      this.#outbox
        .open(extra.length)
        .write(
          FrameType.call,
          flags | FrameFlag.parts,
          pending.id,
          target,
          left,
          length,
          NONE,
          extra,
        )
    }
    pending.wasSent = true
    if (flow?.window === undefined) return
    writeCredit(this.#outbox.open(0), pending.id, RESULT_STREAM, flow.window)
  }

  #targetOf(call: OutgoingCall): number {
    const known = this.#targets.get(call.env, call.function)
    if (known !== undefined) return known
    const target = this.#targets.add(call.env, call.function)
    const names = Buffer.from(JSON.stringify({ env: call.env, function: call.function }))
    this.#outbox.open(names.length).write(FrameType.bind, 0, 0, target, 0, 0, names)
    return target
  }

  async #open(): Promise<void> {
    if (this.#isOpening) return
    this.#isOpening = true
    try {
      const dialled = this.#transport.dial(() => this.#pending.size > 0)
      // A thread that is about to be blocked must not wait for a turn of its own.
      const channel = dialled instanceof Promise ? await dialled : dialled
      // Nobody waits any more: the calls gave up, or this side was closed.
      if (this.#pending.size === 0) channel?.close()
      else if (channel !== undefined) this.#opened(channel)
    } catch (error) {
      for (const pending of this.#pending) this.#failAs(pending, error)
    }
    this.#isOpening = false
    // The transport may have found that no call waits just before one came.
    if (this.#channel === undefined && this.#pending.size > 0) void this.#open()
  }

  #opened(channel: Channel): void {
    this.#channel = channel
    for (const pending of this.#pending) {
      const left = remainingMs(pending.dueAt)
      this.#send(pending, left === 0 ? 0 : Math.max(1, left - DEADLINE_GRACE_MS))
    }
  }

  /** All pending calls were sent: those that come without a channel wait for `#open`. */
  #lost(reason: string): void {
    this.#channel = undefined
    this.#targets.clear()
    const message = `the connection to the daemon was lost during the call (${reason})`
    for (const pending of this.#pending) this.#fail(pending, "DAEMON_LOST", message)
    this.#bootId = ""
  }

  #receive(bytes: Buffer, bootId?: string): void {
    const frame = this.#frame
    frame.open(bytes)
    while (frame.next()) {
      if (frame.type === FrameType.hello) this.#bootId = readHello(frame.payload).bootId
      else if (frame.id === CONNECTION_ID) throw decodeErrorRecord(frame.payload)
      else this.#about(frame, bootId ?? this.#bootId)
    }
  }

  /** What a call prints, a part of its streams, or its end. */
  #about(frame: FrameReader, bootId: string): void {
    const pending = this.#pending.get(frame.id)
    if (pending === undefined) return
    const { type, serial } = frame
    if (type === FrameType.log) return pending.call.logged?.(frame, bootId)
    if (type === FrameType.part) return this.#part(pending, frame)
    if (type === FrameType.items || type === FrameType.credit) {
      if (type === FrameType.credit && serial === PARTS_STREAM) {
        return pending.outgoing?.grant(frame.timeoutMs)
      }
      return pending.call.flow?.received(frame)
    }
    const whole = this.#large.whole(pending, frame)
    this.#settle(pending)
    pending.call.replied(whole, () => callIdOf(bootId, serial), bootId)
  }

  /** A result that cannot be held is that call's affair. */
  #part(pending: PendingCall, frame: FrameReader): void {
    try {
      this.#large.part(pending, frame)
    } catch (cause) {
      this.#giveUp(pending)
      const { code, message } = asBunhouseError(cause, "taking in the result")
      pending.call.failed(failure(pending.call, code, "yes", message))
    }
  }

  #aborted(pending: PendingCall, reason: unknown): void {
    const { ran, call } = pending
    this.#giveUp(pending)
    call.failed(cancelled(call, ran, reason))
  }

  #due(pending: PendingCall): void {
    const { ran, call } = pending
    this.#giveUp(pending)
    const reason = "the deadline passed, and the daemon did not answer"
    call.failed(failure(call, "DEADLINE_EXCEEDED", ran, reason))
  }

  /** The daemon hears of it before its slot is given to another call: there it would be in use still. */
  #giveUp(pending: PendingCall): void {
    this.#settle(pending)
    if (pending.wasSent) this.#outbox.open(0).write(FrameType.cancel, 0, pending.id, 0, 0, 0)
  }

  #fail(pending: PendingCall, code: ErrorCode, message: string): void {
    this.#settle(pending)
    pending.call.failed(failure(pending.call, code, pending.ran, message))
  }

  /** The connection could not be opened: nothing of the call was sent. */
  #failAs(pending: PendingCall, error: unknown): void {
    this.#settle(pending)
    const { call } = pending
    if (error instanceof BunhouseError) return call.failed(error)
    call.failed(
      failure(call, "UNAVAILABLE", "no", `the daemon cannot be reached: ${String(error)}`),
    )
  }

  /** M1: from here on nothing else can end the call. */
  #settle(pending: PendingCall): void {
    this.#pending.close(pending.id)
    this.#large.ended(pending)
    this.#deadlines.remove(pending)
    this.#aborts.remove(pending)
    if (this.#pending.size === 0) this.#channel?.unref()
  }
}

const NONE = new Uint8Array(0)
