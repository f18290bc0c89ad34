import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { ServeRequest } from "../../protocol/env-control.ts"
import type { ServedFrom } from "../calls/route.ts"
import { mapServedWords, SERVED_BYTES, ServedWord } from "../../protocol/served-words.ts"

/**
 * What the daemon serves from one env process, as the process is told: by that it knows which calls of its own functions it
 * may run itself. envs/served.ts is the other end.
 *
 * Invariants:
 * SV1. From the moment on in which something changes the process runs no such call on the word of before: the edition is
 *      counted up in shared memory first, and what the process is told bears its number.
 * SV2. A process that may not have heard something is told all anew before it goes by anything that it is told.
 */
export class Served implements ServedFrom {
  readonly #say: (request: ServeRequest) => void
  readonly #words: Int32Array | undefined
  #path: string | undefined
  #edition = 0
  /** Nothing is served from the process any more. */
  #isOver = false

  /** Where memory cannot be shared, all calls go to the daemon. */
  constructor(folder: string, incarnation: string, say: (request: ServeRequest) => void) {
    this.#say = say
    const path = join(folder, `.served-${incarnation}`)
    try {
      writeFileSync(path, new Uint8Array(SERVED_BYTES), { mode: 0o600 })
      this.#words = mapServedWords(path)
      this.#path = path
    } catch {
      rmSync(path, { force: true })
    }
  }

  /** For the process to map; undefined where there is none. */
  get path(): string | undefined {
    return this.#path
  }

  get ownCalls(): number {
    return this.#words === undefined ? 0 : Atomics.load(this.#words, ServedWord.ownCalls)
  }

  /** What is set is set before the calls are counted: one that ends meanwhile is counted out first, and sees it then. */
  leavesThread(threads: number): boolean {
    const words = this.#words
    if (words === undefined || Atomics.load(words, ServedWord.ownThreadCalls) < threads) return true
    Atomics.store(words, ServedWord.threadsWanted, 1)
    return Atomics.load(words, ServedWord.ownThreadCalls) < threads
  }

  limitThreads(max: number): void {
    if (this.#words !== undefined) Atomics.store(this.#words, ServedWord.threadsMax, max)
  }

  serves(name: string, index: number | undefined): void {
    if (this.#words === undefined || this.#isOver) return
    const edition = this.#next()
    this.#say({ op: "serve", edition, name, ...(index !== undefined && { index }) })
  }

  /** The process may not hear what it is told (SV2). */
  lost(): void {
    this.#next()
  }

  /** The process hears: what it may have missed, it is told from the beginning. */
  beginAnew(): void {
    if (this.#words === undefined || this.#isOver || this.#edition === 0) return
    this.#say({ op: "serve", edition: this.#next() })
  }

  end(): void {
    this.#isOver = true
    this.#next()
  }

  /** The process has mapped the file, or is gone. */
  removeFile(): void {
    if (this.#path !== undefined) rmSync(this.#path, { force: true })
    this.#path = undefined
  }

  #next(): number {
    this.#edition = (this.#edition + 1) | 0
    if (this.#words !== undefined) Atomics.store(this.#words, ServedWord.edition, this.#edition)
    return this.#edition
  }
}
