import type { LoadedAs } from "../../protocol/env-control.ts"
import { now } from "../../protocol/deadlines.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { CONNECTION_ID, FrameReader, FrameType, FrameWriter } from "../../protocol/frame.ts"
import { programPath } from "../../protocol/root.ts"
import type { CallFacts } from "../call-context.ts"
import { Channel, channelEnds } from "./channel.ts"
import { processorTime, type ProcessorTime } from "./processor-time.ts"
import type { ForcedEnds } from "./forced-ends.ts"
import { type Dial, type NestedEnds, NestedPort } from "./nested-port.ts"
import type { Position } from "./ring.ts"
import type { ThreadStart } from "./thread.ts"

/** Something for a thread to do: run the call of `batch`, or only load the function `target` when there is none. */
export interface ThreadTask {
  readonly id: number
  readonly target: number
  /** One call frame. */
  readonly batch: Buffer | undefined
  /** The thread's answer; `frame` is valid during the call only. */
  readonly answered: (frame: FrameReader) => void
  /** The call goes on, and `frame` is what it has printed. */
  readonly logged?: (frame: FrameReader) => void
  /** The call goes on, and `frame` is a report of its progress. */
  readonly progressed?: ((frame: FrameReader) => void) | undefined
  /** It will not be answered. */
  readonly failed: (error: BunhouseError) => void
}

/**
 * One Worker, seen from the pool: starting ─▶ ready ─▶ ending ─▶ ended. It owns the Worker, the channel to it, what was
 * sent through that, and what is loaded in it. Tasks are done in the order in which they were posted.
 *
 * Whatever way a Worker ends without being told to (process.exit in user code, a crash) counts as the end of the task
 * that it was doing.
 *
 * Invariants:
 * J1. A thread that was told to end gets no other task, though it may take a while.
 * J2. Every posted task is answered, failed or handed back, exactly once. Handed back is only what the thread has not
 *     begun with and never will (R2).
 */
export class PoolThread {
  readonly startedAt = now()
  /** Tasks that the thread has answered so far: it gets on while this grows. */
  steps = 0
  /** The system's number of it, 0 as long as that is not known. */
  threadNumber = 0
  readonly #worker: Worker
  readonly #channel: Channel
  /** To the thread's side of streams (thread-streams.ts). */
  readonly #streams: MessagePort
  readonly #parts: PoolThreadParts
  readonly #loaded = new Set<number>()
  readonly #writer = new FrameWriter()
  readonly #streamFrame = new FrameReader()
  /** For calls that its functions make, once one does. */
  #nested: NestedPort | undefined
  #posted: Posted[] = []
  #state: "starting" | "ready" | "ending" | "ended" = "starting"
  #endReason: BunhouseError | undefined
  /** After it was ended by force. */
  #hasEnded: (() => void) | undefined

  constructor(parts: PoolThreadParts) {
    this.#parts = parts
    const [own, its] = channelEnds()
    this.#worker = new Worker(ENTRY, { ref: false, smol: true })
    this.#channel = new Channel(own, {
      wakeOther: () => this.#worker.postMessage(null),
      onLarge: this.#read,
    })
    // Whatever its functions post, it does no more than this.
    this.#worker.addEventListener("message", this.#read)
    this.#worker.addEventListener("error", ({ message }) => {
      this.#endReason ??= lost(`crashed during the call: ${message}`)
    })
    this.#worker.addEventListener("close", ({ code }) => this.#ended(code))
    const { port1: streams, port2: itsStreams } = new MessageChannel()
    this.#streams = streams
    streams.addEventListener("message", ({ data }) => {
      const said: Uint8Array | NestedEnds = data // it posts nothing else
      if (said instanceof Uint8Array) this.#readStream(said)
      else this.#nested = new NestedPort(said, parts.dial, () => parts.onBlocked?.())
    })
    streams.start()
    const start: ThreadStart = { facts: parts.facts, end: its, streams: itsStreams }
    this.#worker.postMessage(start, [its.port, itsStreams])
    this.#channel.sleep()
  }

  /** Tasks that were posted and not answered. */
  get tasks(): number {
    return this.#posted.length
  }

  /** A thread that loads a function takes nothing on top of the task for which it does. */
  get hasRoom(): boolean {
    if (this.#posted.length >= TASKS_MAX || this.isLoading) return false
    return this.#channel.hasRoomFor(FRAMES_PER_TASK)
  }

  get isLoading(): boolean {
    return this.#posted.at(-1)?.bind !== undefined
  }

  get isReady(): boolean {
    return this.#state === "ready"
  }

  /** It has looked at all that was sent to it, handed back or not: it is not busy with something else. */
  get isAtRest(): boolean {
    return this.#posted.length === 0 && this.#channel.isPassed
  }

  get processorTime(): ProcessorTime | undefined {
    return processorTime(this.threadNumber)
  }

  /** The thread is ready and has room. */
  post(task: ThreadTask): void {
    const { target, batch } = task
    const bind = batch === undefined || !this.#loaded.has(target) ? this.#bind(target) : undefined
    const position = batch === undefined ? undefined : this.#channel.send(batch)
    this.#posted.push({ task, bind, position })
  }

  /** Takes the answers that are there; whether there were any. */
  collect(): boolean {
    const found = this.#takeAnswers()
    if (found) this.#parts.onProgress()
    return found
  }

  readonly #read = (): void => {
    for (let looks = 0; looks < LOOKS_MAX; looks++) {
      this.collect()
      if (this.#channel.sleep()) return
    }
    setImmediate(this.#read)
  }

  /** Whether the thread has such a task, begun with or not. The answers that are there are taken first. */
  has(isMeant: (task: ThreadTask) => boolean): boolean {
    const isPosted = () => this.#posted.some(({ task }) => isMeant(task))
    return isPosted() && (!this.#takeAnswers() || isPosted())
  }

  /** Takes back all tasks that the thread has not begun with, in their order (J2). */
  takeBack(): ThreadTask[] {
    const back: ThreadTask[] = []
    // From the end, so that no later task is done before an earlier one.
    for (let last = this.#posted.pop(); last !== undefined; last = this.#posted.pop()) {
      const kept = this.#revoke(last)
      if (kept !== undefined) {
        this.#posted.push(kept)
        break
      }
      back.push(last.task)
    }
    return back.toReversed()
  }

  /** Returns what the thread keeps of the last that was posted. */
  #revoke(last: Posted): Posted | undefined {
    const { task, bind, position } = last
    if (position !== undefined && !this.#channel.revoke(position)) return last
    if (bind === undefined) return undefined
    if (this.#channel.revoke(bind)) {
      this.#loaded.delete(task.target)
      return undefined
    }
    // It loads the function already. That was begun for this call, so the call stays.
    return task.batch === undefined ? last : { ...last, position: this.#channel.send(task.batch) }
  }

  /** Ends the thread by force; what it does not hand back fails with `reason`. */
  terminate(reason: BunhouseError): void {
    this.#endReason = reason
    const [running] = this.#posted
    const id = running?.task.batch === undefined ? CONNECTION_ID : running.task.id
    if (this.#state !== "ended") this.#hasEnded ??= this.#parts.forced.begun(id)
    this.end()
  }

  /** J1. */
  end(): void {
    this.#state = "ending"
    this.#worker.terminate()
  }

  #bind(target: number): Position {
    const payload = Buffer.from(JSON.stringify(this.#parts.sourceOf(target) ?? {}))
    this.#writer.write(FrameType.bind, 0, 0, target, 0, 0, payload)
    this.#loaded.add(target)
    return this.#channel.send(this.#writer.take())
  }

  /** Whether there were any. */
  #takeAnswers(): boolean {
    const channel = this.#channel
    let found = false
    while (channel.next()) {
      found = true
      const { frame } = channel
      if (frame.type === FrameType.hello) {
        if (this.#state === "starting") this.#state = "ready"
        this.threadNumber = frame.id
      } else if (frame.type === FrameType.log) this.#posted[0]?.task.logged?.(frame)
      else if (frame.type === FrameType.progress) this.#posted[0]?.task.progressed?.(frame)
      else this.#answered(frame)
      channel.pass()
    }
    return found
  }

  #answered(frame: FrameReader): void {
    const posted = this.#posted.shift()
    if (posted === undefined) return
    const { task, bind, position } = posted
    if (bind !== undefined) {
      // A function that could not be loaded is tried again by the next call.
      if (frame.type !== FrameType.reply) this.#loaded.delete(task.target)
      if (position !== undefined) {
        this.#posted.unshift({ task, bind: undefined, position })
        return
      }
    }
    this.steps++
    task.answered(frame)
  }

  #readStream(data: Uint8Array): void {
    const frame = this.#streamFrame
    frame.open(data)
    while (frame.next()) this.#parts.onStream(frame, this.#streams)
  }

  #ended(code: number): void {
    if (this.#state === "ended") return
    this.#state = "ended"
    this.#hasEnded?.()
    this.#takeAnswers()
    const back = this.takeBack()
    this.#channel.close()
    this.#streams.close()
    this.#nested?.close()
    const rest = this.#posted
    this.#posted = []
    const reason = this.#endReason ?? lost(`ended during the call (exit code ${code})`)
    for (const { task } of rest) task.failed(reason)
    this.#parts.onEnd(back)
  }
}

interface Posted {
  readonly task: ThreadTask
  /** Of the frame that loads the task's function, until that is answered. */
  readonly bind: Position | undefined
  /** Of the call; undefined for a task that only loads. */
  readonly position: Position | undefined
}

/** Where a thread finds a function, and what it makes of it. */
export interface FunctionSource extends LoadedAs {
  readonly name: string
  readonly path: string
}

export interface PoolThreadParts {
  readonly facts: CallFacts
  readonly forced: ForcedEnds
  readonly sourceOf: (target: number) => FunctionSource | undefined
  /** For calls that its functions make. */
  readonly dial: Dial
  /** Its function waits for another call, and the thread does nothing else meanwhile. */
  readonly onBlocked?: () => void
  /** What the thread says of a stream; `port` is for what is said to it. */
  readonly onStream: (frame: FrameReader, port: MessagePort) => void
  /** It is ready now, or has answered tasks. */
  readonly onProgress: () => void
  /** It is gone; `back` are the tasks that it never began with. */
  readonly onEnd: (back: readonly ThreadTask[]) => void
}

const ENTRY = programPath("envs/threads/thread.ts")

/** Tasks that a thread has at a time. */
const TASKS_MAX = 128
/** Times that answers are looked for before others get their turn. */
const LOOKS_MAX = 4
/** A bind and a call. */
const FRAMES_PER_TASK = 2

function lost(how: string): BunhouseError {
  return new BunhouseError("WORKER_LOST", `the thread ${how}`)
}
