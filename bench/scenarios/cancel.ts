import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { CANCEL_GRACE_MS } from "../../protocol/limits.ts"
import type { Scenario } from "../figure.ts"
import type { Stage } from "./index.ts"

const BUSY = "from the cancel of a busy sync call to its last sign of life, p99"
const NEXT = "from the cancel of a busy sync call to the answer of the next, on a new thread, p99"
const NATIVE = "from the cancel of a natively blocked sync call to the end of its process"

/** How soon what a call occupied is free after its cancel, where the function does not help. */
export function cancel({ subject, extent }: Stage): Scenario {
  const count = extent.isQuick ? 10 : 60
  let answered = Number.NaN
  return {
    name: "cancel",
    figures: [
      {
        name: BUSY,
        unit: "ms",
        async measure() {
          const { alive, next } = await stopped()
          answered = next
          return alive
        },
      },
      { name: NEXT, unit: "ms", measure: async () => answered },
      { name: NATIVE, unit: "ms", measure: native },
    ],
    bounds: [
      { name: BUSY, goal: { atMost: 50 } },
      { name: NATIVE, goal: { atMost: CANCEL_GRACE_MS + 200 } },
    ],
    isOrdered: true,
    isWarm: true,
    roundsMax: 3,
  }

  async function stopped(): Promise<{ readonly alive: number; readonly next: number }> {
    const { spin, syncEcho } = await subject.stoppable()
    const folder = mkdtempSync(join(tmpdir(), "bunhouse-bench-"))
    const path = join(folder, "alive")
    writeFileSync(path, new Uint8Array(Float64Array.BYTES_PER_ELEMENT))
    const [alive, next]: [number[], number[]] = [[], []]
    try {
      for (let i = 0; i < count; i++) {
        await syncEcho.async(i)
        const controller = new AbortController()
        const call = settled(spin.with({ signal: controller.signal }).async(path))
        await Bun.sleep(BEGUN_MS)
        const [start, startDate] = [performance.now(), Date.now()]
        controller.abort()
        if ((await syncEcho.async(i)) !== i) throw new Error("a wrong reply")
        next.push(performance.now() - start)
        alive.push(Math.max(0, readFileSync(path).readDoubleLE(0) - startDate))
        await call
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
    return { alive: p99(alive), next: p99(next) }
  }

  /** That the process has ended is what another call in it is told. */
  async function native(): Promise<number> {
    const { sleep, syncSleep, syncEcho } = await subject.stoppable()
    await syncEcho.async(0)
    const controller = new AbortController()
    const call = settled(syncSleep.with({ signal: controller.signal }).async(60))
    const other = settled(sleep(60))
    await Bun.sleep(BEGUN_MS)
    const start = performance.now()
    controller.abort()
    await Promise.all([call, other])
    return performance.now() - start
  }
}

function p99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1] ?? Number.NaN
}

/** Cancelled and lost calls are what is asked for. */
function settled(call: Promise<unknown>): Promise<unknown> {
  return call.catch(() => {})
}

/** In this time a call has begun. */
const BEGUN_MS = 40
