import { readFileSync } from "node:fs"

/**
 * When a process started, as the system counts it: together with the pid it names one process for good, because a
 * recycled pid has another start. Undefined when there is no such process.
 */
export function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The second field is the program's name in parentheses and may hold anything; the start is the 22nd.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]
  } catch {
    return fromPs(pid)
  }
}

function fromPs(pid: number): string | undefined {
  try {
    const { stdout, success } = Bun.spawnSync(["ps", "-o", "lstart=", "-p", String(pid)])
    const text = stdout.toString().trim()
    return success && text !== "" ? text : undefined
  } catch {
    return undefined // No ps on this system.
  }
}
