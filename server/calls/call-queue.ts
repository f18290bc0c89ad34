import type { Call } from "./call.ts"

/**
 * Calls that wait, in order. Entering and leaving cost O(1) wherever a call stands, and what has left leaves nothing
 * behind: a queue that does not move for minutes may see a million calls come and give up.
 */
export class CallQueue {
  readonly #backlog: Backlog
  #first: Call | undefined = undefined
  #last: Call | undefined = undefined
  length = 0

  constructor(backlog: Backlog) {
    this.#backlog = backlog
  }

  push(call: Call): void {
    const last = this.#last
    call.queue = this
    call.previous = last
    if (last === undefined) this.#first = call
    else last.next = call
    this.#last = call
    this.length++
    this.#backlog.calls++
    this.#backlog.bytes += bytesOf(call)
  }

  /** Takes out the call that has waited longest. */
  shift(): Call | undefined {
    const call = this.#first
    if (call !== undefined) this.remove(call)
    return call
  }

  /** The call waits here. It keeps its frame. */
  remove(call: Call): void {
    const { next, previous } = call
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    call.queue = undefined
    call.next = undefined
    call.previous = undefined
    this.length--
    this.#backlog.calls--
    this.#backlog.bytes -= bytesOf(call)
  }

  /** In order. The call that is visited may be removed. */
  *[Symbol.iterator](): Generator<Call> {
    for (let call = this.#first; call !== undefined;) {
      const { next } = call
      yield call
      call = next
    }
  }
}

/** What is kept of a call while it waits: here, or in its env process. */
function bytesOf({ frame, bytes }: Call): number {
  return frame?.length ?? bytes
}

/** What waits in all queues of one env together. */
export interface Backlog {
  calls: number
  bytes: number
}
