import { readdirSync, readFileSync } from "node:fs"

/**
 * Processor time in microseconds that a process has had, by all of its threads that run.
 * Source: Linux, `/proc/<pid>/task/<thread>/schedstat`, whose first number is the time on a processor in nanoseconds.
 */
export function processorTimeUs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  return threads.reduce((sum, thread) => sum + threadTimeUs(`/proc/${pid}/task/${thread}`), 0)
}

function threadTimeUs(folder: string): number {
  try {
    return Number(readFileSync(`${folder}/schedstat`, "utf8").split(" ", 1)[0]) / 1_000
  } catch {
    // It has ended since.
    return 0
  }
}
