import { readFileSync } from "node:fs"

/**
 * Processor time in microseconds that a process has had, by all of its threads, those that have ended included.
 * Source: Linux, `/proc/<pid>/stat`, fields 14 (user) and 15 (system), in ticks of a hundredth of a second.
 */
export function processorTimeUs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8")
  // The name of the program, the second field, may hold anything.
  const [, , , , , , , , , , , user = "0", system = "0"] = text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
  return (Number(user) + Number(system)) * TICK_US
}

/** The kernel tells it in these, whatever its own clock does. */
const TICK_US = 10_000
