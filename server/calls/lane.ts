import { type Backlog, CallQueue } from "./call-queue.ts"

/**
 * The places of one kind (loop or thread) in one env: how many calls occupy one, and which wait for one.
 * The daemon keeps the queue, not the env process: what waits here certainly has not run (C2).
 */
export class Lane {
  readonly queue: CallQueue
  /** Calls that occupy a place. */
  running = 0
  limit: number

  constructor(limit: number, backlog: Backlog) {
    this.limit = limit
    this.queue = new CallQueue(backlog)
  }

  get hasPlace(): boolean {
    return this.running < this.limit
  }
}
