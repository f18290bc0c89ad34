import { readLoadedAs } from "../../protocol/env-control.ts"
import { asBunhouseError, BunhouseError } from "../../protocol/errors.ts"
import { Fields, parseJson } from "../../protocol/fields.ts"
import { FrameFlag, type FrameReader, FrameType, FrameWriter } from "../../protocol/frame.ts"
import { runInside } from "../../client/context.ts"
import { type CallFacts, RunningCall } from "../call-context.ts"
import { outliveLateErrors } from "../late-errors.ts"
import { loadFunction } from "../load-function.ts"
import { captureOutput } from "../output/capture.ts"
import { threadOutput } from "../output/thread-output.ts"
import { provideLibrary } from "../provide-library.ts"
import {
  argumentsOf,
  extraOf,
  isThenable,
  type LoadedFunction,
  replyFailure,
  replyThrown,
  replyValue,
  type ResultSink,
} from "../run-call.ts"
import { Channel, type ChannelEnd } from "./channel.ts"
import { NestedTransport } from "./nested-transport.ts"
import { Pace } from "./pace.ts"
import { ownThreadNumber } from "./thread-number.ts"
import type { ThreadStreams } from "./thread-streams.ts"

/**
 * A thread of an env process: runs sync functions one after another. It speaks frames with the pool: `bind` loads a
 * function and is answered, `call` runs one and is answered.
 *
 * Invariants:
 * H1. Every frame that the thread takes is answered with exactly one frame of its id before it takes the next one. What
 *     its function prints may go ahead of it, in log frames, and so may reports of progress, while there is room.
 * H2. A function cannot get between thread and pool: they speak through a channel of their own, and wake each other by
 *     messages that no listener of a function sees. The thread's global `postMessage` and `onmessage` are the function's to
 *     use.
 * H3. What earlier calls have left behind (timers, promises) gets its turn at least after every TURN_CALLS_MAX calls.
 */
declare const self: Worker

/** First message to the thread. */
export interface ThreadStart {
  readonly facts: CallFacts
  readonly end: ChannelEnd
  readonly streams: MessagePort
}

/** As they were before any function could replace them. */
const wakePool = self.postMessage.bind(self)
const endOfTurn = setImmediate
const writer = new FrameWriter()
/** Reports may come while a reply stands in the other. */
const reports = new FrameWriter()
/** By number; the error of one that could not be loaded. */
const functions = new Map<number, LoadedFunction | BunhouseError>()
const sink: ResultSink = {
  open: () => writer,
  result: (id, flags, payload) => writer.write(FrameType.reply, flags, id, 0, 0, 0, payload),
  get resultBytesMax() {
    return facts.payloadBytesMax
  },
}
let facts: CallFacts
let channel: Channel
let pace: Pace
let streamPort: MessagePort
/** Loaded with the first stream: most threads have none. */
let streams: Promise<ThreadStreams> | undefined
let current: RunningCall | undefined
/** A frame was taken that is not answered yet: a function runs, or a promise is awaited. */
let isBusy = false
const output = threadOutput(
  () => current,
  (lines) => channel.sendIfRoom(lines, ANSWERS_MAX),
)

self.addEventListener("message", begin)

function begin({ data }: MessageEvent<ThreadStart>): void {
  self.removeEventListener("message", begin)
  facts = data.facts
  self.addEventListener("message", woken, true) // ahead of any other (H2)
  channel = new Channel(data.end, { wakeOther: () => wakePool(null), onLarge: work })
  pace = new Pace(channel)
  streamPort = data.streams
  const way = new NestedTransport((ends) => streamPort.postMessage(ends, [ends.port]))
  runInside({
    place: "env thread",
    current: () => current,
    way: { open: way.open, wait: way },
    token: facts.token,
  })
  provideLibrary()
  captureOutput(output.take)
  outliveLateErrors()
  writer.write(FrameType.hello, 0, ownThreadNumber(), 0, 0, 0)
  channel.put(writer)
  channel.wake()
  work()
}

/** H2. What functions make up themselves is for themselves. */
function woken(event: MessageEvent): void {
  if (!event.isTrusted) return
  event.stopImmediatePropagation()
  work()
}

/** Takes frames until there are none, or one that must be awaited. */
function work(): void {
  if (isBusy) return
  pace.awake()
  for (let taken = 0; taken < TURN_CALLS_MAX;) {
    if (!channel.next()) {
      pace.wake() // P1
      if (channel.sleep()) return
      continue
    }
    taken++
    isBusy = true
    const { frame } = channel
    const { target } = frame
    pace.begins(target)
    const later = frame.type === FrameType.bind ? bind(frame) : run(frame)
    if (later !== undefined) {
      pace.wake()
      void later.then(() => goOn(target)) // it does not reject
      return
    }
    answer(target)
  }
  pace.wake()
  endOfTurn(work) // H3
}

function goOn(target: number): void {
  answer(target)
  work()
}

async function bind({ id, target, payload }: FrameReader): Promise<void> {
  try {
    const text = Buffer.from(payload).toString()
    const fields = new Fields("the names of a function", parseJson("the names of a function", text))
    const source = { name: fields.text("name"), path: fields.text("path"), ...readLoadedAs(fields) }
    functions.set(target, await loadFunction(source, target))
    writer.write(FrameType.reply, 0, id, 0, 0, 0)
  } catch (cause) {
    const error = asBunhouseError(cause, "loading a function")
    functions.set(target, error)
    replyFailure(sink, id, error)
  }
}

/** Runs the call and writes its reply, or returns what to wait for. */
function run(call: FrameReader): Promise<void> | undefined {
  const { id, flags, target, serial, timeoutMs } = call
  const fn = functions.get(target) ?? new BunhouseError("INTERNAL", "the function is not loaded")
  if (fn instanceof BunhouseError) {
    replyFailure(sink, id, fn)
    return undefined
  }
  const args = argumentsOf(call, sink)
  if (args === undefined) return undefined
  current = new RunningCall(facts, fn.name, id, serial, timeoutMs, report, extraOf(call))
  current.version = fn.version
  current.wantsLogs = (flags & FrameFlag.logs) !== 0
  if (flags & FrameFlag.stream) return stream(fn, current, flags, args)
  let result: unknown
  try {
    result = fn.call(...args)
  } catch (thrown) {
    replyThrown(sink, id, flags, thrown, fn.version)
    return undefined
  }
  // A sync function handed out a promise: the thread awaits it, and the caller learns that it was one.
  if (isThenable(result)) return settle(result, fn, id, flags | FrameFlag.promised)
  replyValue(sink, id, flags, result)
  return undefined
}

/** The stream answers its caller; what the channel is told is that the thread is free. */
async function stream(
  fn: LoadedFunction,
  call: RunningCall,
  flags: number,
  args: unknown[],
): Promise<void> {
  streams ??= loadStreams()
  await (await streams).run(fn, call, flags, args)
  writer.write(FrameType.reply, 0, call.id, 0, 0, 0)
}

async function loadStreams(): Promise<ThreadStreams> {
  const { ThreadStreams: Streams } = await import("./thread-streams.ts")
  return new Streams(streamPort, facts.payloadBytesMax)
}

async function settle(
  result: PromiseLike<unknown>,
  fn: LoadedFunction,
  id: number,
  flags: number,
): Promise<void> {
  try {
    replyValue(sink, id, flags, await result)
  } catch (thrown) {
    replyThrown(sink, id, flags, thrown, fn.version)
  }
}

/** What an earlier call left running has nothing to report any more. */
function report(id: number, payload: Uint8Array): void {
  if (current?.id !== id) return
  reports.write(FrameType.progress, 0, id, 0, 0, 0, payload)
  channel.sendIfRoom(reports, ANSWERS_MAX) // H1
}

/** H1. The reply is on its way before its call is passed: what is not passed is not lost. */
function answer(target: number): void {
  current?.end()
  current = undefined
  channel.put(writer)
  channel.pass()
  isBusy = false
  pace.answered(target)
}

const TURN_CALLS_MAX = 32
/** To what the pool may have sent: a bind and a call for each task. */
const ANSWERS_MAX = 256
