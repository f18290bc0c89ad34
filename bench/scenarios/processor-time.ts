import type { Figure, Scenario } from "../figure.ts"
import { type Call, inFlight } from "../load.ts"
import { processorTimeUs } from "../processor-time.ts"
import type { Stage } from "./index.ts"

/** A way to make calls whose processor time is told process by process. */
interface Way {
  readonly name: string
  readonly flights: number
  readonly call: Call
  readonly processes: () => Promise<Readonly<Record<string, number>>>
}

/** Where the time of a call goes: that of all processes that take part in it, each by itself. Linux only. */
export function processorTime({ subject, floors, extent }: Stage): Scenario {
  const ours = () => subject.processes()
  const bare = async () => ({ caller: process.pid, ...floors.natsProcesses })
  const ways: Way[] = [1, IN_FLIGHT].flatMap((flights) => [
    { name: "async echo", flights, call: subject.call, processes: ours },
    { name: "sync echo", flights, call: subject.callSync, processes: ours },
    { name: "nats.request()", flights, call: () => floors.nats(), processes: bare },
  ])
  return {
    name: "processor time",
    // The first figure of a way measures for all of them.
    isOrdered: true,
    roundsMax: 3,
    figures:
      process.platform === "linux" ? ways.flatMap((way) => figuresOf(way, extent.flightMs)) : [],
  }
}

function figuresOf(way: Way, ms: number): Figure[] {
  let shares: Readonly<Record<string, number>> = {}
  return LAYERS.filter((layer) => takesPart(way, layer)).map((layer, i) => ({
    name: processorTimeOf(way.name, way.flights, layer),
    unit: "us",
    async measure() {
      if (i === 0) shares = await measure(way, ms)
      return shares[layer] ?? Number.NaN
    },
  }))
}

function takesPart({ name }: Way, layer: string): boolean {
  return name !== "nats.request()" || layer !== "daemon"
}

/** Microseconds a call, by process. */
async function measure(way: Way, ms: number): Promise<Readonly<Record<string, number>>> {
  const processes = Object.entries(await way.processes())
  const before = processes.map(([, pid]) => processorTimeUs(pid))
  const start = performance.now()
  const callsPerSecond = await inFlight(way.call, way.flights, ms)
  const calls = (callsPerSecond * (performance.now() - start)) / 1_000
  return Object.fromEntries(
    processes.map(([layer, pid], i) => [layer, (processorTimeUs(pid) - (before[i] ?? 0)) / calls]),
  )
}

export function processorTimeOf(way: string, flights: number, layer: string): string {
  return `processor time of ${way}, ${flights} in flight: ${layer}`
}

export const WAYS: readonly string[] = ["async echo", "sync echo", "nats.request()"]
export const LAYERS: readonly string[] = ["caller", "daemon", "broker", "env process"]
export const IN_FLIGHT = 256
