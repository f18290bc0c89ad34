import * as fc from "fast-check"
import { decodePayload, encodeResult } from "../../protocol/codec/index.ts"
import { fingerprint, hostilePayload, isAccepted } from "../support/hostile.ts"
import { randomFrom } from "../support/random.ts"
import { differenceOf } from "../support/same-graph.ts"
import { anyGraph } from "../support/sendable.ts"

/**
 * The long fuzz of the codec: `bun test/fuzz/codec.ts [cases] [seed]`, one million hostile payloads by default, then a
 * tenth as many values that must arrive as sent. Exits with 1 and says how to run the case again when one fails.
 */

const cases = Number(process.argv[2] ?? 1_000_000)
const seed = Number(process.argv[3] ?? Math.floor(Math.random() * 2 ** 32))
const CASE_MS_MAX = 50

try {
  fuzzHostilePayloads()
  fuzzValues()
} catch (error) {
  console.error(error)
  console.error(`run again: bun test/fuzz/codec.ts ${cases} ${seed}`)
  process.exit(1)
}

function fuzzHostilePayloads(): void {
  console.log(`${cases} hostile payloads, seed ${seed}`)
  const clean = fingerprint()
  const start = performance.now()
  let accepted = 0
  let slowestMs = 0
  for (let i = 0; i < cases; i++) {
    const bytes = hostilePayload(randomFrom(seed + i))
    try {
      const caseStart = performance.now()
      if (isAccepted(bytes)) accepted++
      const ms = performance.now() - caseStart
      // The machine may have had other things to do; a case that is slow by itself is slow again.
      if (ms > CASE_MS_MAX && isSlow(bytes)) throw new Error(`it took ${ms.toFixed(1)} ms`)
      slowestMs = Math.max(slowestMs, ms)
    } catch (cause) {
      throw new Error(`case ${i}: ${Buffer.from(bytes).toString("hex")}`, { cause })
    }
    if (i % 1_000 === 0 && fingerprint() !== clean) throw new Error(`polluted by case ${i}`)
  }
  if (fingerprint() !== clean) throw new Error("a prototype was polluted")
  const share = ((accepted / cases) * 100).toFixed(1)
  report(cases, start, `${share} % accepted, slowest ${slowestMs.toFixed(1)} ms`)
}

function isSlow(bytes: Uint8Array): boolean {
  const times = Array.from({ length: 3 }, () => {
    const start = performance.now()
    isAccepted(bytes)
    return performance.now() - start
  })
  return Math.min(...times) > CASE_MS_MAX
}

function fuzzValues(): void {
  const runs = Math.ceil(cases / 10)
  console.log(`${runs} values, seed ${seed}`)
  const start = performance.now()
  const arrives = fc.property(anyGraph, (value) => {
    const difference = differenceOf(value, decodePayload(encodeResult(value)))
    if (difference !== undefined) throw new Error(difference)
  })
  fc.assert(arrives, { numRuns: runs, seed })
  report(runs, start, "all arrived as sent")
}

function report(count: number, start: number, facts: string): void {
  const seconds = (performance.now() - start) / 1_000
  const rssMb = process.memoryUsage.rss() / 1e6
  const rate = Math.round(count / seconds)
  console.log(`  ${seconds.toFixed(1)} s, ${rate} a second, ${facts}, rss ${rssMb.toFixed(0)} MB`)
}
