import { readLoadedAs } from "../../protocol/env-control.ts"
import { asBunhouseError, BunhouseError } from "../../protocol/errors.ts"
import { Fields, parseJson } from "../../protocol/fields.ts"
import { FrameFlag, FrameReader, FrameType, FrameWriter } from "../../protocol/frame.ts"
import { runInside } from "../../client/context.ts"
import { type CallFacts, RunningCall } from "../call-context.ts"
import { outliveLateErrors } from "../late-errors.ts"
import { loadFunction } from "../load-function.ts"
import { provideLibrary } from "../provide-library.ts"
import {
  argumentsOf,
  isThenable,
  type LoadedFunction,
  replyFailure,
  replyThrown,
  replyValue,
} from "../run-call.ts"

/**
 * A thread of an env process: runs sync functions one after another. It speaks frames with the pool: `bind` loads a
 * function and is answered, `call` runs one and is answered. The pool sends one call at a time.
 *
 * Invariants:
 * H1. Every frame is answered with exactly one frame of its id, in a message of its own.
 * H2. A function cannot get between thread and pool: they speak through a port of their own, and the thread's global
 *     `postMessage` and `onmessage` are the function's to use.
 */
declare const self: Worker

/** First message to the thread. */
export interface ThreadStart {
  readonly facts: CallFacts
  readonly port: MessagePort
}

const frame = new FrameReader()
const writer = new FrameWriter()
const functions = new Map<number, LoadedFunction>()
const sink = { open: () => writer }
let start: ThreadStart | undefined
let current: RunningCall | undefined

self.addEventListener("message", begin)

function begin({ data }: MessageEvent<ThreadStart>): void {
  self.removeEventListener("message", begin)
  start = data
  start.port.addEventListener("message", (event) => receive(event.data))
  start.port.start()
  runInside("env thread", () => current)
  provideLibrary()
  outliveLateErrors()
  start.port.postMessage("ready")
}

function receive(data: unknown): void {
  if (!(data instanceof Uint8Array)) return
  frame.open(data)
  while (frame.next()) {
    if (frame.type === FrameType.bind) void bind(frame)
    else if (frame.type === FrameType.call) run(frame)
  }
}

async function bind({ id, target, payload }: FrameReader): Promise<void> {
  try {
    const text = Buffer.from(payload).toString()
    const fields = new Fields("the names of a function", parseJson("the names of a function", text))
    const source = { name: fields.text("name"), path: fields.text("path"), ...readLoadedAs(fields) }
    functions.set(target, await loadFunction(source, target))
    writer.write(FrameType.reply, 0, id, 0, 0, 0)
  } catch (error) {
    replyFailure(sink, id, asBunhouseError(error, "loading a function"))
  }
  answer()
}

function run(call: FrameReader): void {
  const { id, flags, target, serial, timeoutMs } = call
  const fn = functions.get(target)
  if (fn === undefined || start === undefined) {
    replyFailure(
      sink,
      id,
      new BunhouseError("INTERNAL", "the function is not loaded in the thread"),
    )
    return answer()
  }
  const args = argumentsOf(call, sink)
  if (args === undefined) return answer()
  current = new RunningCall(start.facts, fn.name, id, serial, timeoutMs)
  let result: unknown
  try {
    result = fn.call(...args)
  } catch (thrown) {
    replyThrown(sink, id, flags, thrown)
    return answer()
  }
  if (!isThenable(result)) {
    replyValue(sink, id, flags, result)
    return answer()
  }
  // A sync function handed out a promise: the thread awaits it, and the caller learns that it was one.
  void settle(result, id, flags | FrameFlag.promised)
}

async function settle(result: PromiseLike<unknown>, id: number, flags: number): Promise<void> {
  try {
    replyValue(sink, id, flags, await result)
  } catch (thrown) {
    replyThrown(sink, id, flags, thrown)
  }
  answer()
}

function answer(): void {
  current = undefined
  const batch = writer.take()
  start?.port.postMessage(batch, [batch.buffer])
}
