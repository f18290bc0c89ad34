import type { LoadedAs } from "../../protocol/env-control.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { FrameReader, FrameType, FrameWriter } from "../../protocol/frame.ts"
import { programPath } from "../../protocol/root.ts"
import type { CallFacts } from "../call-context.ts"
import type { ThreadStart } from "./thread.ts"

/** Something for a thread to do: run the call of `frame`, or only load the function `target` when there is none. */
export interface ThreadTask {
  readonly id: number
  readonly target: number
  readonly frame: Uint8Array | undefined
  /** The thread's answer; `frame` is valid during the call only. */
  readonly answered: (frame: FrameReader) => void
  /** The thread ended before it answered. */
  readonly failed: (error: BunhouseError) => void
}

/**
 * One Worker, seen from the pool: starting ─▶ idle ⇄ busy ─▶ ending ─▶ ended. It owns the Worker, the port to it, and
 * what is loaded in it.
 *
 * Whatever way a Worker ends without being told to (process.exit in user code, a crash) counts as the end of the task
 * that ran on it.
 *
 * Invariant:
 * J1. A thread that was told to end gets no other task, though it may take a while: `onEnding` comes before the end.
 */
export class PoolThread {
  task: ThreadTask | undefined
  readonly #worker: Worker
  readonly #port: MessagePort
  readonly #parts: PoolThreadParts
  readonly #loaded = new Set<number>()
  readonly #writer = new FrameWriter()
  readonly #frame = new FrameReader()
  #isReady = false
  #isEnding = false
  #isEnded = false
  #endReason: BunhouseError | undefined
  #idleTimer: Timer | undefined

  constructor(parts: PoolThreadParts) {
    this.#parts = parts
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    this.#port.addEventListener("message", (event) => this.#receive(event.data))
    this.#port.start()
    this.#worker = new Worker(ENTRY, { ref: false, smol: true })
    this.#worker.addEventListener("error", ({ message }) => {
      this.#endReason ??= lost(`crashed during the call: ${message}`)
    })
    this.#worker.addEventListener("close", ({ code }) => this.#ended(code))
    const start: ThreadStart = { facts: parts.facts, port: port2 }
    this.#worker.postMessage(start, [port2])
  }

  /** The thread is idle. */
  run(task: ThreadTask): void {
    clearTimeout(this.#idleTimer)
    this.task = task
    const { target } = task
    if (!this.#loaded.has(target)) this.#bind(target)
    // A task that only loads is answered by the answer to its bind.
    else if (task.frame === undefined) this.#bind(target)
    else this.#call(task.frame)
  }

  /** Ends the thread by force; the task on it fails with `reason`. */
  terminate(reason: BunhouseError): void {
    this.#endReason = reason
    this.#end()
  }

  /** Ends the thread unless it gets something to do before. */
  endAfter(ms: number): void {
    this.#idleTimer = setTimeout(() => this.#end(), ms)
    this.#idleTimer.unref()
  }

  /** J1. */
  #end(): void {
    this.#isEnding = true
    this.#parts.onEnding()
    this.#worker.terminate()
  }

  #bind(target: number): void {
    const source = this.#parts.sourceOf(target)
    const payload = Buffer.from(JSON.stringify(source ?? {}))
    this.#writer.write(FrameType.bind, 0, 0, target, 0, 0, payload)
    this.#post()
  }

  #call(frame: Uint8Array): void {
    this.#writer.append(frame)
    this.#post()
  }

  #post(): void {
    const batch = this.#writer.take()
    this.#port.postMessage(batch, [batch.buffer])
  }

  #receive(data: unknown): void {
    if (!(data instanceof Uint8Array)) {
      this.#isReady = true
      this.#parts.onReady()
      return
    }
    const { task } = this
    const frame = this.#frame
    frame.open(data)
    frame.next()
    if (task === undefined) return
    const loadedNow = !this.#loaded.has(task.target)
    if (loadedNow && frame.type === FrameType.reply) {
      this.#loaded.add(task.target)
      if (task.frame !== undefined) {
        this.#call(task.frame)
        return
      }
    }
    this.task = undefined
    task.answered(frame)
    if (!this.#isEnding) this.#parts.onFree()
  }

  #ended(code: number): void {
    if (this.#isEnded) return
    this.#isEnded = true
    clearTimeout(this.#idleTimer)
    this.#port.close()
    const { task } = this
    this.task = undefined
    task?.failed(this.#endReason ?? lost(`ended during the call (exit code ${code})`))
    this.#parts.onEnd(this.#isReady)
  }
}

/** Where a thread finds a function, and what it makes of it. */
export interface FunctionSource extends LoadedAs {
  readonly name: string
  readonly path: string
}

export interface PoolThreadParts {
  readonly facts: CallFacts
  readonly sourceOf: (target: number) => FunctionSource | undefined
  readonly onReady: () => void
  readonly onFree: () => void
  readonly onEnding: () => void
  readonly onEnd: (wasReady: boolean) => void
}

const ENTRY = programPath("envs/threads/thread.ts")

function lost(how: string): BunhouseError {
  return new BunhouseError("WORKER_LOST", `the thread ${how}`)
}
