/** Bytes by which `run` made this process larger, garbage included. A guard against blow-ups, not a measurement. */
export function growthOf(run: () => void): number {
  Bun.gc(true)
  const before = process.memoryUsage.rss()
  run()
  return process.memoryUsage.rss() - before
}

export const MIB = 1024 * 1024
