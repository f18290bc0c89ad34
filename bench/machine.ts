import { readFileSync } from "node:fs"

/**
 * What the machine's host took away meanwhile: the share, in percent, of the time of all cores in which they would have run
 * and another guest did. Call it at the start; the answer tells it up to now. Undefined where the system does not tell.
 */
export function watchSteal(): () => number | undefined {
  const before = ticks()
  return () => {
    const now = ticks()
    if (before === undefined || now === undefined || now.all === before.all) return undefined
    return Math.round((100 * (now.stolen - before.stolen)) / (now.all - before.all))
  }
}

/** Linux: user nice system idle iowait irq softirq steal, in ticks since the start. */
function ticks(): { readonly all: number; readonly stolen: number } | undefined {
  try {
    const [, ...times] = readFileSync("/proc/stat", "utf8").split("\n", 1)[0]?.split(/\s+/) ?? []
    const counted = times.slice(0, 8).map(Number)
    return { all: counted.reduce((sum, each) => sum + each, 0), stolen: counted[7] ?? 0 }
  } catch {
    return undefined
  }
}
