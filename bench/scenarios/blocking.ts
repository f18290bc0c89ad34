import { join } from "node:path"
import type { Figure, Scenario } from "../figure.ts"
import { oneAfterAnother, oneAtATime } from "../load.ts"
import type { Stage } from "./index.ts"

const BY_SPAWN = "blocking call by spawnSync, p50"
const BY_THREAD = "blocking call by resident thread, p50"
const AWAITED = "awaited call beside it, p50"

/** Blocking calls, each way against the least that its way costs. */
export function blocking({ subject, floors, peers, extent }: Stage): Scenario {
  const { turns } = extent
  const spawns = extent.blockingCalls / turns
  const count = extent.sequentialCalls / turns
  const bySpawn = verified((i) => subject.echo.sync(i))
  const byThread = verified((i) => subject.echoResident.sync(i))
  const empty = spawned("empty.js")
  const http = spawned("http-call.js", floors.httpUrl)
  // Until the engine has compiled the daemon's route; a thread's calls are so much quicker that it takes more.
  const warmUpCalls = extent.isQuick ? 20 : 50
  let measuredAt = Number.NEGATIVE_INFINITY
  return {
    name: "blocking calls",
    turns,
    figures: [
      us(BY_SPAWN, async () => {
        if (performance.now() - measuredAt > COLD_AFTER_MS) {
          for (let i = 0; i < warmUpCalls; i++) bySpawn(i)
          for (let i = 0; i < warmUpCalls * 20; i++) byThread(i)
        }
        const measured = oneAfterAnother(bySpawn, spawns)
        measuredAt = performance.now()
        return measured
      }),
      us("empty bun spawn, p50", async () => oneAfterAnother(empty, spawns)),
      us("bun spawn with one HTTP call, p50", async () => oneAfterAnother(http, spawns)),
      us(BY_THREAD, async () => oneAfterAnother(byThread, count)),
      us(AWAITED, () => oneAtATime(subject.call, count)),
      us("synckit, p50", async () => oneAfterAnother(verified(peers.synckit()), count)),
      us("make-synchronous, p50", async () =>
        oneAfterAnother(verified(peers.makeSynchronous()), count),
      ),
    ],
    ratios: [
      {
        name: "blocking call by spawnSync / bun spawn with one HTTP call",
        of: BY_SPAWN,
        to: ["bun spawn with one HTTP call, p50"],
        goal: { atMost: 1.15 },
      },
      {
        name: "blocking call by resident thread / awaited call",
        of: BY_THREAD,
        to: [AWAITED],
        goal: { atMost: 1.5 },
      },
      {
        name: "blocking call by resident thread / synckit",
        of: BY_THREAD,
        to: ["synckit, p50"],
        goal: { atMost: 3 },
      },
    ],
  }
}

/** The engine throws away code that has not run for a while. */
const COLD_AFTER_MS = 10_000

const verified = (call: (i: number) => unknown) => (i: number) => {
  if (call(i) !== i) throw new Error("a wrong reply")
}

/** One run of a program of `floors/`, as anybody would run it: without the settings by which a blocking call's starts sooner. */
const spawned =
  (program: string, ...args: string[]) =>
  () => {
    const path = join(import.meta.dir, "../floors", program)
    const { exitCode } = Bun.spawnSync([process.execPath, path, ...args], {
      stdin: INPUT,
      stdout: "pipe",
    })
    if (exitCode !== 0) throw new Error(`${program} failed`)
  }

function us(name: string, measure: Figure["measure"]): Figure {
  return { name, unit: "us", measure }
}

const INPUT = new Uint8Array(100)
