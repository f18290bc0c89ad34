import type { PendingCall } from "./pending.ts"

/**
 * Which calls end when a signal fires. A signal that many calls share has one listener for all of them, because it compares
 * each new listener with all that it has.
 */
export class Aborts {
  readonly #aborted: (call: PendingCall, reason: unknown) => void
  /** Signals of calls that have not ended. */
  readonly #shared = new Map<CancelSource, Shared>()

  /** @param aborted is told each call that is here when its signal fires. It must take the call out. */
  constructor(aborted: (call: PendingCall, reason: unknown) => void) {
    this.#aborted = aborted
  }

  add(call: PendingCall, signal: CancelSource): void {
    const shared = this.#shared.get(signal)
    if (shared !== undefined) {
      shared.calls.add(call)
      return
    }
    const calls = new Set([call])
    const listener = () => {
      for (const each of calls) this.#aborted(each, signal.reason)
    }
    this.#shared.set(signal, { calls, listener })
    signal.addEventListener("abort", listener)
  }

  /** Legal for a call that is not here. */
  remove(call: PendingCall): void {
    const { signal } = call.call
    if (signal === undefined) return
    const shared = this.#shared.get(signal)
    if (!shared?.calls.delete(call) || shared.calls.size > 0) return
    this.#shared.delete(signal)
    signal.removeEventListener("abort", shared.listener)
  }
}

/** What ends a call before its reply: an AbortSignal, or the cancel of the call that it is made in. */
export interface CancelSource {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: "abort", listener: () => void): void
  removeEventListener(type: "abort", listener: () => void): void
}

interface Shared {
  readonly calls: Set<PendingCall>
  readonly listener: () => void
}
