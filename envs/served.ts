import type { ServeRequest } from "../protocol/env-control.ts"
import { mapServedWords, ServedWord } from "../protocol/served-words.ts"

/**
 * Which functions of this process the daemon serves, as it says (server/envs/served.ts).
 *
 * Invariant:
 * SV3. What was heard counts only while it is the daemon's last word, and nothing before it was missed.
 */
export class Served {
  readonly #words: Int32Array | undefined
  /** Numbers of functions, by name. */
  readonly #indexes = new Map<string, number>()
  /** The last that was heard; undefined where something was missed. */
  #edition: number | undefined = 0

  /** Without a file nothing is served that the daemon does not send. */
  constructor(path: string | undefined) {
    this.#words = path === undefined ? undefined : mapServedWords(path)
  }

  /** By which number the daemon would have a call of `name` run here and now; undefined where it would not. */
  indexOf(name: string): number | undefined {
    const words = this.#words
    if (words === undefined || Atomics.load(words, ServedWord.edition) !== this.#edition) {
      return undefined
    }
    return this.#indexes.get(name)
  }

  heard({ edition, name, index }: ServeRequest): void {
    if (name === undefined) this.#indexes.clear()
    else if (this.#edition === undefined || edition !== ((this.#edition + 1) | 0)) {
      this.#edition = undefined
      return
    } else if (index === undefined) this.#indexes.delete(name)
    else this.#indexes.set(name, index)
    this.#edition = edition
  }

  /** Whether an own call may have a thread, where so many calls have one. Those that wait in the daemon come first. */
  hasThread(calls: number): boolean {
    const words = this.#words
    if (words === undefined || calls >= Atomics.load(words, ServedWord.threadsMax)) return false
    return Atomics.load(words, ServedWord.threadsWanted) === 0
  }

  /** So many calls of its own functions are under way, so many of them for threads. */
  count(calls: number, onThreads: number): void {
    if (this.#words === undefined) return
    Atomics.store(this.#words, ServedWord.ownCalls, calls)
    Atomics.store(this.#words, ServedWord.ownThreadCalls, onThreads)
  }

  /** After one of them was counted out: whether the daemon is to hear of it. */
  takeThreadsWanted(): boolean {
    return (
      this.#words !== undefined && Atomics.exchange(this.#words, ServedWord.threadsWanted, 0) === 1
    )
  }
}
