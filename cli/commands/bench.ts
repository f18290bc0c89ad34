import { Daemon } from "../../client/daemon.ts"
import { fn } from "../../client/fn.ts"
import { setQuiet } from "../../client/notices.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import type { Answer, Cli } from "../command.ts"
import { daemonAddress } from "../daemon/find.ts"

/** How much is measured. */
export interface BenchExtent {
  /** Calls made one after another. */
  readonly calls: number
  /** Calls in flight at any time, for `ms` milliseconds. */
  readonly flights: number
  readonly ms: number
}

/**
 * `bunhouse bench`: the canonical workload against the daemon that runs: an async echo, one call at a time and many in
 * flight. In an env of its own, which is removed again; other envs of the daemon share the machine with it.
 */
export async function bench({ environment }: Cli, extent: BenchExtent): Promise<Answer> {
  if (Math.min(extent.calls, extent.flights, extent.ms) < 1) {
    throw new BunhouseError(
      "INVALID_ARGUMENT",
      "expected --calls, --flights and --time to be more than 0",
    )
  }
  setQuiet(true)
  using daemon = new Daemon(daemonAddress(environment), environment)
  const env = daemon.env(`bunhouse-bench-${crypto.randomUUID().slice(0, 8)}`)
  try {
    const echo = await fn(async (x: number) => x, { name: "echo" }).to(env)
    const call = async (x: number) => {
      if ((await echo(x)) === x) return
      throw new BunhouseError("INTERNAL", `the echo of ${x} came back as something else`)
    }
    const latenciesUs = await oneAtATime(call, extent.calls)
    const callsPerSecond = Math.round(await inFlight(call, extent))
    return answer(extent, latenciesUs, callsPerSecond)
  } finally {
    await env.remove()
  }
}

/** Sorted, in microseconds, after a tenth as many to warm up. */
async function oneAtATime(call: (x: number) => Promise<void>, count: number): Promise<number[]> {
  for (let i = 0; i < count / 10; i++) await call(i)
  const latencies: number[] = []
  for (let i = 0; i < count; i++) {
    const start = Bun.nanoseconds()
    await call(i)
    latencies.push((Bun.nanoseconds() - start) / 1_000)
  }
  return latencies.toSorted((a, b) => a - b)
}

async function inFlight(
  call: (x: number) => Promise<void>,
  { flights, ms }: BenchExtent,
): Promise<number> {
  let done = 0
  const start = performance.now()
  const fly = async () => {
    while (performance.now() < start + ms) {
      await call(done)
      done++
    }
  }
  await Promise.all(Array.from({ length: flights }, fly))
  return (done * 1_000) / (performance.now() - start)
}

function answer(
  { calls, flights }: BenchExtent,
  sorted: readonly number[],
  callsPerSecond: number,
): Answer {
  const at = (share: number) => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0)
  const us = { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
  const quantiles = Object.entries(us).map(([name, value]) => `${name} ${value} µs`)
  return {
    document: { oneAtATimeUs: us, calls, inFlight: flights, callsPerSecond },
    text: [
      `one call at a time   ${quantiles.join("   ")}   (${calls.toLocaleString("en")} calls)`,
      `${flights} in flight`.padEnd(21) + `${callsPerSecond.toLocaleString("en")} calls/s`,
    ].join("\n"),
  }
}
