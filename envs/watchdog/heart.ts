/**
 * What an event loop and its watchdog thread share: a few words of memory. The loop writes while it has calls, which costs
 * it some stores for each; the watchdog reads.
 *
 * Invariants:
 * Z1. BEAT is 0 while the loop has no calls: the watchdog sleeps then.
 * Z2. Only the watchdog raises LATE, and only the loop takes it back. Until the watchdog is there, LATE is up, so that the
 *     loop looks at the clock itself: the first call of a process is the most likely one to block.
 */
export const Word = {
  /** When the loop was last seen to turn, as `ticks` tells. */
  beat: 0,
  /**
   * Id of the call whose function runs without having given way yet; NO_CALL for none. A call that stays in the process
   * has that of the daemon's call that it is of.
   */
  running: 1,
  /** Calls on the loop, and their ids by exclusive or: the id of the one, where there is one. */
  calls: 2,
  ids: 3,
  /** 1 from when the watchdog may have seen the loop blocked until the loop has looked. */
  late: 4,
  /** Counts calls as they begin and end: a loop that gets on with many is busy, and no single call blocks it. */
  steps: 5,
  /** 1 once the watchdog is there. */
  watched: 6,
  /** Number of the function that `running` runs, plus 1; and those of all calls on the loop by exclusive or. */
  function: 7,
  functions: 8,
} as const

export const NO_CALL = -1
const WORDS = 9

export function heartMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT)
}

/** Milliseconds on a clock that all threads share; wraps around, is never 0, and is for differences. */
export function ticks(): number {
  return Date.now() | 1 | 0
}

/** The call that blocks a loop which is blocked, where that is certain. */
export function blockingCall(words: Int32Array): number {
  const running = Atomics.load(words, Word.running)
  if (running !== NO_CALL) return running
  return Atomics.load(words, Word.calls) === 1 ? Atomics.load(words, Word.ids) : NO_CALL
}

/** Number of the function that this call runs, plus 1; 0 where that is not certain. */
export function blockingFunction(words: Int32Array): number {
  if (Atomics.load(words, Word.running) !== NO_CALL) return Atomics.load(words, Word.function)
  return Atomics.load(words, Word.calls) === 1 ? Atomics.load(words, Word.functions) : 0
}

/** First message to the watchdog. */
export interface WatchdogStart {
  readonly memory: SharedArrayBuffer
  readonly loopBlockMs: number
  /** To which it writes what it sees. */
  readonly fd: number
}
