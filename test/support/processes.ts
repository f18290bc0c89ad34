/** Processes whose arguments contain `text` (a path of the test's own folder, say), without zombies and this one. */
export function processesWith(text: string): string[] {
  const { stdout } = Bun.spawnSync(["ps", "ax", "-o", "pid=,stat=,args="])
  return stdout
    .toString()
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.includes(text) && !/^\d+\s+Z/.test(line))
    .filter((line) => !line.startsWith(`${process.pid} `))
}

export function isRunning(pid: number): boolean {
  const { stdout } = Bun.spawnSync(["ps", "-o", "stat=", "-p", String(pid)])
  const stat = stdout.toString().trim()
  return stat !== "" && !stat.startsWith("Z")
}

/** All processes below `pid`, it aside. */
export function descendants(pid: number): number[] {
  const { stdout } = Bun.spawnSync(["ps", "ax", "-o", "pid=,ppid="])
  const rows = stdout
    .toString()
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
  const childrenOf = (parent: number): number[] =>
    rows.flatMap(([child = 0, itsParent]) =>
      itsParent === parent ? [child, ...childrenOf(child)] : [],
    )
  return childrenOf(pid)
}

/** Sends a signal to a process that is known. The system takes 0, and what becomes 0, for the sender's whole group. */
export function sendSignal(pid: unknown, name: NodeJS.Signals): void {
  const known = Number(pid)
  if (!Number.isInteger(known) || known <= 1)
    throw new Error(`no process to send ${name} to: ${String(pid)}`)
  process.kill(known, name)
}
