import { readFileSync } from "node:fs"

/**
 * What the system knows of a thread's use of processors. It tells a call that takes long from one whose thread did not
 * get its turn, which a clock cannot. Linux only; elsewhere all answers are undefined.
 */
export interface ProcessorTime {
  /** In all, in milliseconds. */
  readonly ranMs: number
  /** It runs, or would if there were a processor for it; otherwise it sleeps. */
  readonly isRunnable: boolean
}

/** Takes some microseconds. */
export function processorTime(threadNumber: number): ProcessorTime | undefined {
  if (threadNumber === 0) return undefined
  try {
    const folder = `/proc/self/task/${threadNumber}`
    const ranNs = Number.parseInt(readFileSync(`${folder}/schedstat`, "latin1"), 10)
    // The state follows the name, which stands in brackets and may hold anything.
    const [state] =
      /[^) ]/.exec(readFileSync(`${folder}/stat`, "latin1").replace(/^.*\)/s, "")) ?? []
    return { ranMs: ranNs / 1e6, isRunnable: state === "R" }
  } catch {
    return undefined
  }
}
