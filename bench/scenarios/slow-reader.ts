import type { Scenario } from "../figure.ts"
import { residentMegabytes } from "../memory.ts"
import { textOfItem } from "../workload.ts"
import type { Stage } from "./index.ts"

/**
 * A reader that pauses all the time, of a generator that never does: it would run ahead by most of the items, which
 * would then lie in some process. Their resident memory, by its peaks because each process collects when it likes.
 */
export function slowReader({ subject, extent }: Stage): Scenario {
  const { items, length, atOnce } = extent.slowReader
  const name = `growth of resident memory while a slow reader takes ${items} items`
  return {
    name: "slow reader",
    roundsMax: 1,
    figures: [{ name, unit: "MB", measure: growth }],
    bounds: [{ name, goal: { atMost: 48 } }],
  }

  async function growth(): Promise<number> {
    const samples: number[] = []
    let next = 0
    for await (const item of subject.countTexts(items, length)) {
      if (item !== textOfItem(next, length)) throw new Error(`item ${next} is wrong: ${item}`)
      next++
      if (next % atOnce === 0) await Bun.sleep(PAUSE_MS)
      if (next % (items / SAMPLES) === 0) samples.push(residentOfAll())
    }
    if (next !== items) throw new Error(`expected ${items} items, got ${next}`)
    return Math.max(...samples.slice(-EDGE)) - Math.max(...samples.slice(0, EDGE))
  }

  /** Daemon, broker, env processes and the reader, which is this process. */
  function residentOfAll(): number {
    return residentMegabytes([subject.pid]) + process.memoryUsage.rss() / 1e6
  }
}

const PAUSE_MS = 10
const SAMPLES = 20
/** So many of the first samples against as many of the last. */
const EDGE = 5
