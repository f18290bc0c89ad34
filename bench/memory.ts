/** Resident memory in MB of processes and all that they started. */
export function residentMegabytes(roots: readonly number[]): number {
  const { stdout } = Bun.spawnSync(["ps", "ax", "-o", "pid=,ppid=,rss="])
  const rows = stdout
    .toString()
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
  const total = (pid: number): number =>
    rows.reduce((sum, [child = 0, parent, rss = 0]) => {
      if (child === pid) return sum + rss
      return parent === pid ? sum + total(child) : sum
    }, 0)
  return roots.reduce((sum, pid) => sum + total(pid), 0) / 1_000
}
