import { PAYLOAD_BYTES_MAX } from "../../protocol/limits.ts"
import { writeFileSync } from "node:fs"
import { ForcedEnds } from "../../envs/threads/forced-ends.ts"
import { ThreadPool } from "../../envs/threads/pool.ts"
import { encodeArgs } from "../../protocol/codec/index.ts"
import { FrameType } from "../../protocol/frame.ts"
import { type Answer, FakeSink, noDial } from "./fake-sink.ts"
import { temporaryFolder } from "./folder.ts"
import { batchOf, standingOn } from "./frames.ts"
import { until } from "./until.ts"

/** A pool of one test, with real threads. All of them have ended when it is disposed of. */
export class ThreadLab implements AsyncDisposable {
  readonly folder = temporaryFolder()
  readonly pool: ThreadPool
  readonly #sink = new FakeSink()
  readonly #kept: number
  #files = 0
  #ids = 0

  constructor({ threadsMax = 2, idleMs = 50, kept = 0 } = {}) {
    this.#kept = kept
    const facts = {
      env: "lab",
      bootId: "boot",
      ownBootId: "boot.i1",
      payloadBytesMax: PAYLOAD_BYTES_MAX,
    }
    const forced = new ForcedEnds(this.#sink)
    this.pool = new ThreadPool({
      facts,
      forced,
      dial: noDial,
      sink: this.#sink,
      threadsMax,
      idleMs,
      kept,
    })
  }

  /** Loads the function whose body is `code`, with arguments `a` and `b`. Returns its number. */
  async load(code: string): Promise<number> {
    const index = ++this.#files
    const path = this.folder.join(`m${index}.mjs`)
    writeFileSync(path, `export default function f(a, b) { ${code} }`)
    await this.pool.load(index, { name: "f", path, as: "function", export: "default" }, 5_000)
    return index
  }

  /** Starts a call; returns its id. */
  run(target: number, ...args: unknown[]): number {
    const id = ++this.#ids
    this.pool.run(standingOn(batchOf(FrameType.call, { id, target, payload: encodeArgs(args) })))
    return id
  }

  answered(id: number): Promise<Answer> {
    return until(() => this.#sink.answerOf(id), `the answer to call ${id}`)
  }

  async call(target: number, ...args: unknown[]): Promise<Answer> {
    return this.answered(this.run(target, ...args))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.pool.cancelAll()
    await until(() => this.pool.size <= this.#kept, "all threads that are not kept to end")
    this.folder[Symbol.dispose]()
  }
}
