import type { BunhouseError } from "../../protocol/errors.ts"
import { DEADLINE_GRACE_MS } from "../../protocol/limits.ts"
import type { Credit } from "../../protocol/streams/credit.ts"
import type { Connection } from "../connection/connection.ts"
import type { ThreadWait } from "../connection/transport.ts"
import { type Names, type Outcome, readOutcome } from "../outcome.ts"
import {
  type BlockingCall,
  type BlockingCaller,
  type BlockingStream,
  type Logged,
  outgoing,
} from "./blocking-caller.ts"
import { failure } from "./exchange.ts"
import { KeptStream } from "./kept-stream.ts"
import { ResidentStream } from "./resident-stream.ts"

/**
 * Blocking calls by the connection that this thread has anyway, where its transport can be waited for: on the threads of an
 * env. What comes while the thread is blocked, also for others of its calls, it takes in itself.
 *
 * Invariants:
 * CC1. It returns by the deadline plus twice DEADLINE_GRACE_MS, whatever the other side does: the connection's own timers
 *      do not fire while the thread is blocked.
 * CC2. It waits in short slices: a collection of garbage that this thread's heap is in the middle of cannot go on while it
 *      waits, and a thread that is told to end ends between two of them.
 */
export class ConnectionCaller implements BlockingCaller {
  readonly #connection: Connection
  readonly #wait: ThreadWait

  constructor(connection: Connection, wait: ThreadWait) {
    this.#connection = connection
    this.#wait = wait
  }

  call(call: BlockingCall, logged: Logged): Outcome {
    const { names, timeoutMs } = call
    let outcome: Outcome | undefined
    this.#wait.begin()
    const pending = this.#connection.call({
      ...outgoing(call),
      logged: call.wantsLogs ? logged : undefined,
      replied: (frame, callId) => {
        outcome = readOutcome(frame, names, callId)
      },
      failed: (thrown) => {
        outcome = { kind: "threw", thrown, wasPromise: false }
      },
    })
    if (this.#until(() => outcome !== undefined, timeoutMs) && outcome !== undefined) return outcome
    if (pending !== undefined) this.#connection.abandon(pending)
    this.#connection.flush()
    return { kind: "threw", thrown: tooLate(names), wasPromise: false }
  }

  stream(call: BlockingCall, window: Credit): BlockingStream {
    const { names, timeoutMs } = call
    let kept: KeptStream | undefined
    const next = (stream: KeptStream, leftMs: number) => {
      if (!this.#until(() => stream.isFilled, leftMs)) throw tooLate(names)
      return { kind: "replied", number: 0, ...stream.take() } as const
    }
    return new ResidentStream(names, timeoutMs, {
      open: () => {
        this.#wait.begin()
        kept = new KeptStream(this.#connection, call, window)
        return next(kept, timeoutMs)
      },
      next: (_stream, leftMs) => {
        if (kept === undefined) throw tooLate(names)
        this.#wait.begin()
        return next(kept, leftMs)
      },
      release: () => {
        kept?.release()
        this.#connection.flush()
      },
    })
  }

  close(): void {
    // The connection is its owner's.
  }

  /** Whether `isThere` by the deadline (CC1). */
  #until(isThere: () => boolean, timeoutMs: number): boolean {
    const giveUpAt =
      timeoutMs === 0
        ? Number.POSITIVE_INFINITY
        : performance.now() + timeoutMs + 2 * DEADLINE_GRACE_MS
    this.#connection.flush()
    while (!isThere()) {
      const leftMs = giveUpAt - performance.now()
      if (leftMs <= 0) return false
      this.#wait.wait(Math.min(leftMs, WAIT_SLICE_MS)) // CC2
      // What came may have been answered: with credit, for one.
      this.#connection.flush()
    }
    return true
  }
}

/** What one wait may last at most. */
const WAIT_SLICE_MS = 10

function tooLate(names: Names): BunhouseError {
  const reason = "the deadline passed, and the daemon did not answer"
  return failure(names, "DEADLINE_EXCEEDED", "maybe", reason)
}
