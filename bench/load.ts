import { build, type Histogram } from "hdr-histogram-js"
import type { Measured, Span } from "./figure.ts"

/** One call; it must reject or throw when the reply is not what was asked for. */
export type Call = (i: number) => Promise<unknown>

/** p50 in microseconds of `count` calls made one after another, after a tenth as many to warm up. */
export async function oneAtATime(call: Call, count: number, quantile = 50): Promise<Measured> {
  const latencies = histogram()
  for (let i = 0; i < count / 10; i++) await call(i)
  for (let i = 0; i < count; i++) {
    const start = Bun.nanoseconds()
    await call(i)
    record(latencies, Bun.nanoseconds() - start)
  }
  return { value: latencies.getValueAtPercentile(quantile), latencies }
}

/** As `oneAtATime` for calls that block. */
export function oneAfterAnother(call: (i: number) => unknown, count: number): Measured {
  const latencies = histogram()
  for (let i = 0; i < count / 10; i++) call(i)
  for (let i = 0; i < count; i++) {
    const start = Bun.nanoseconds()
    call(i)
    record(latencies, Bun.nanoseconds() - start)
  }
  return { value: latencies.getValueAtPercentile(50), latencies }
}

/** Calls per second with `flights` calls in flight at any time (a closed loop), for `ms` milliseconds. */
export async function inFlight(call: Call, flights: number, ms: number): Promise<number> {
  let done = 0
  const start = performance.now()
  const end = start + ms
  const fly = async () => {
    while (performance.now() < end) {
      await call(done)
      done++
    }
  }
  await Promise.all(Array.from({ length: flights }, fly))
  return (done * 1_000) / (performance.now() - start)
}

/** As `inFlight`, with the latency of each call. */
export async function inFlightTimed(call: Call, flights: number, ms: number): Promise<Measured> {
  const latencies = histogram()
  const timed = async (i: number) => {
    const start = Bun.nanoseconds()
    await call(i)
    record(latencies, Bun.nanoseconds() - start)
  }
  return { value: await inFlight(timed, flights, ms), latencies }
}

/**
 * Latencies at `rate` calls a second, whether or not earlier ones have come back (an open loop): each is counted from
 * the moment at which it was meant to start, so that a stall counts for every call that it delays.
 */
export async function openLoop(
  call: Call,
  rate: number,
  ms: number,
  quantile: number,
): Promise<Measured> {
  const latencies = histogram()
  const start = Bun.nanoseconds()
  const pending: Promise<void>[] = []
  const total = Math.round((rate * ms) / 1_000)
  for (let sent = 0; sent < total;) {
    const due = Math.min(total, Math.floor(((Bun.nanoseconds() - start) / 1e9) * rate) + 1)
    for (; sent < due; sent++) {
      const meant = start + (sent * 1e9) / rate
      pending.push(call(sent).then(() => record(latencies, Bun.nanoseconds() - meant)))
    }
    // A caller that only looked at the clock would take the processor that the others need.
    Atomics.wait(NOBODY, 0, 0, PAUSE_MS)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await Promise.all(pending)
  return { value: latencies.getValueAtPercentile(quantile), latencies }
}

/** Nobody wakes those who wait for it. */
const NOBODY = new Int32Array(new SharedArrayBuffer(4))
/** With what the system adds it takes 0.13 ms, by which a call may leave late and a reply be read late. */
const PAUSE_MS = 0.05

/** Milliseconds that `count` calls take when all are started at once. */
export async function allAtOnce(call: Call, count: number): Promise<Measured> {
  const start = performance.now()
  const spans: Span[] = []
  const one = async (_: unknown, i: number) => {
    const startMs = performance.now() - start
    await call(i)
    spans.push({ startMs, endMs: performance.now() - start })
  }
  await Promise.all(Array.from({ length: count }, one))
  return { value: performance.now() - start, spans: spans.slice(0, SPANS_MAX) }
}

/** The middle one of some rounds' values, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[sorted.length >> 1] ?? Number.NaN
  const lower = sorted[(sorted.length - 1) >> 1] ?? Number.NaN
  return (lower + upper) / 2
}

function histogram(): Histogram {
  return build({ lowestDiscernibleValue: 1, highestTrackableValue: 60_000_000 })
}

function record(latencies: Histogram, nanoseconds: number): void {
  latencies.recordValue(Math.max(1, Math.round(nanoseconds / 1_000)))
}

const SPANS_MAX = 100
