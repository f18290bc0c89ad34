import { FrameFlag, type FrameReader, FrameType } from "../../protocol/frame.ts"
import { type Part, PARTS_STREAM, readPart, writePart } from "../../protocol/parts/part.ts"
import {
  type Credit,
  readCredit,
  RESULT_STREAM,
  writeCredit,
} from "../../protocol/streams/credit.ts"
import type { Call, PayloadTaker } from "./call.ts"
import type { EnvLink } from "./route.ts"

/**
 * What passes through the daemon while a call runs: items of its streams, parts of its payloads, credit for both, what it prints. The daemon holds back
 * nothing of it: readers bound what is on the way by the credit that they grant.
 *
 * Invariant:
 * X1. An env process hears of a call before it hears anything about it: credit for a call that waits is kept until the
 *     call is sent.
 */
export function isPassing(type: number): boolean {
  return (PASSING & (1 << type)) !== 0
}

/** A bit for each type. */
const PASSING =
  (1 << FrameType.items) |
  (1 << FrameType.part) |
  (1 << FrameType.credit) |
  (1 << FrameType.log) |
  (1 << FrameType.progress)

/** Forwards what an env process says of a call that goes on, while somebody waits for the call. */
export function passOn(call: Call, frame: FrameReader): void {
  const { caller, callerId } = call
  if (frame.type === FrameType.log) caller?.log(callerId, frame, call)
  else if (frame.type === FrameType.progress) caller?.progressed?.(frame)
  else caller?.flow(callerId, frame, call)
}

/** Forwards items or credit from the caller towards the function. */
export function forward(call: Call, frame: FrameReader): void {
  if (call.payloads !== undefined) return take(call.payloads, frame)
  if (call.link === undefined) return hold(call, frame)
  const serial = frame.type === FrameType.credit ? frame.serial : call.serial
  call.listener?.outbox.forward(frame, call.id, frame.target, frame.timeoutMs, serial) // C4
}

/** Grants more of the result's stream to a call that may still wait. */
export function grant(call: Call, { items, bytes }: Credit): void {
  if (call.link === undefined) {
    const held = call.credit
    call.credit = { items: items + (held?.items ?? 0), bytes: bytes + (held?.bytes ?? 0) }
    return
  }
  const { listener } = call
  if (listener === undefined) return
  writeCredit(listener.outbox.open(0), call.id, RESULT_STREAM, { items, bytes })
}

/** Grants more of a result that comes in parts. */
export function grantParts({ listener, id, payloads }: Call, bytes: number): void {
  if (payloads !== undefined) return payloads.granted(bytes)
  if (listener === undefined) return
  writeCredit(listener.outbox.open(0), id, PARTS_STREAM, { items: 0, bytes })
}

/** Sends a part of the arguments, for which there is credit. */
export function sendPart({ listener, id, payloads }: Call, part: Part): void {
  if (payloads !== undefined) return payloads.part(part)
  if (listener === undefined) return
  writePart(listener.outbox.open(part.bytes.length), id, part)
}

/** Of a call without streams. */
function take(payloads: PayloadTaker, frame: FrameReader): void {
  if (frame.type === FrameType.part) payloads.part(readPart(frame))
  else if (frame.type === FrameType.credit && frame.serial === PARTS_STREAM) {
    payloads.granted(frame.timeoutMs)
  }
}

/** X1. */
export function sendHeldCredit(call: Call, { outbox }: EnvLink): void {
  if (call.credit === undefined) return
  writeCredit(outbox.open(0), call.id, RESULT_STREAM, call.credit)
  call.credit = undefined
}

/** Nobody can have asked for items of an argument yet. */
function hold(call: Call, frame: FrameReader): void {
  if (frame.type !== FrameType.credit || frame.flags & FrameFlag.last) return
  const { stream, items, bytes } = readCredit(frame)
  if (stream === RESULT_STREAM) grant(call, { items, bytes })
}
