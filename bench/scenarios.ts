import { join } from "node:path"
import type { Scenario } from "./figure.ts"
import type { Floors } from "./floors/floors.ts"
import { inFlight, oneAfterAnother, oneAtATime, p50 } from "./load.ts"
import { residentMegabytes } from "./memory.ts"
import type { Subject } from "./subject.ts"

/** How long a round of each figure takes. */
export interface Extent {
  readonly sequentialCalls: number
  readonly flightMs: number
  readonly blockingCalls: number
}

/** The scenarios that guard the shape of the system. */
export function scenarios(subject: Subject, floors: Floors, extent: Extent): Scenario[] {
  const call = async (i: number) => {
    if ((await subject.echo(i)) !== i) throw new Error("a wrong reply")
  }
  return [
    sequential(call, floors, extent),
    ...[64, 256].map((flights) => flight(flights, call, floors, extent)),
    blocking(subject, floors, extent),
    idleMemory(subject),
    restart(subject),
  ]
}

function sequential(call: (i: number) => Promise<void>, floors: Floors, extent: Extent): Scenario {
  const { sequentialCalls } = extent
  return {
    name: "one call at a time",
    figures: [
      us("awaited call, p50", async () => p50(await oneAtATime(call, sequentialCalls))),
      us("bare WebSocket echo, p50", async () =>
        p50(await oneAtATime(() => floors.webSocket(), sequentialCalls)),
      ),
      us("bare nats.request(), p50", async () =>
        p50(await oneAtATime(() => floors.nats(), sequentialCalls)),
      ),
    ],
    ratios: [
      {
        name: "awaited call / (bare WebSocket echo + bare nats.request())",
        of: "awaited call, p50",
        to: ["bare WebSocket echo, p50", "bare nats.request(), p50"],
        goal: { atMost: 1.5 },
      },
    ],
  }
}

function flight(
  flights: number,
  call: (i: number) => Promise<void>,
  floors: Floors,
  { flightMs }: Extent,
): Scenario {
  const ours = `awaited calls, ${flights} in flight`
  const bare = `bare nats.request(), ${flights} in flight`
  return {
    name: `${flights} calls in flight`,
    figures: [
      { name: ours, unit: "calls/s", measure: () => inFlight(call, flights, flightMs) },
      {
        name: bare,
        unit: "calls/s",
        measure: () => inFlight(() => floors.nats(), flights, flightMs),
      },
    ],
    ratios: [
      {
        name: `${ours} / bare nats.request()`,
        of: ours,
        to: [bare],
        goal: { atLeast: flights >= 256 ? 1.5 : 1 },
      },
    ],
  }
}

const verified = (call: (i: number) => number) => (i: number) => {
  if (call(i) !== i) throw new Error("a wrong reply")
}

/** One run of a program of `floors/`, the way a blocking call runs its own. */
const spawned =
  (program: string, ...args: string[]) =>
  () => {
    const path = join(import.meta.dir, "floors", program)
    const { exitCode } = Bun.spawnSync([process.execPath, path, ...args], {
      stdin: INPUT,
      stdout: "pipe",
    })
    if (exitCode !== 0) throw new Error(`${program} failed`)
  }

function blocking(
  subject: Subject,
  floors: Floors,
  { blockingCalls, sequentialCalls }: Extent,
): Scenario {
  const bySpawn = verified((i) => subject.echo.sync(i))
  const byThread = verified((i) => subject.echoResident.sync(i))
  const empty = spawned("empty.js")
  const http = spawned("http-call.js", floors.httpUrl)
  return {
    name: "blocking calls",
    figures: [
      us("blocking call by spawnSync, p50", async () =>
        p50(oneAfterAnother(bySpawn, blockingCalls)),
      ),
      us("empty bun spawn, p50", async () => p50(oneAfterAnother(empty, blockingCalls))),
      us("bun spawn with one HTTP call, p50", async () =>
        p50(oneAfterAnother(http, blockingCalls)),
      ),
      us("blocking call by resident thread, p50", async () =>
        p50(oneAfterAnother(byThread, sequentialCalls)),
      ),
    ],
    ratios: [
      {
        name: "blocking call by spawnSync / bun spawn with one HTTP call",
        of: "blocking call by spawnSync, p50",
        to: ["bun spawn with one HTTP call, p50"],
        goal: { atMost: 2 },
      },
      {
        name: "blocking call by resident thread / awaited call",
        of: "blocking call by resident thread, p50",
        to: ["awaited call, p50"],
        goal: { atMost: 3 },
      },
    ],
  }
}

function idleMemory(subject: Subject): Scenario {
  const name = "resident memory of daemon, broker and one env"
  const measure = async () => residentMegabytes([subject.pid])
  return {
    name: "memory",
    figures: [{ name, unit: "MB", measure }],
    ratios: [],
    bounds: [{ name, goal: { atMost: 200 } }],
  }
}

function restart(subject: Subject): Scenario {
  const untilReady = "restart until ready"
  const untilResult = "restart until first result"
  let sinceRestart = 0
  return {
    name: "restart",
    figures: [
      {
        name: untilReady,
        unit: "ms",
        async measure() {
          const start = performance.now()
          const readyMs = await subject.restart()
          await subject.echo(1)
          sinceRestart = performance.now() - start
          return readyMs
        },
      },
      { name: untilResult, unit: "ms", measure: async () => sinceRestart },
    ],
    ratios: [],
    bounds: [{ name: untilResult, goal: { atMost: 600 } }],
  }
}

function us(name: string, measure: () => Promise<number>) {
  return { name, unit: "us", measure } as const
}

const INPUT = new Uint8Array(100)
