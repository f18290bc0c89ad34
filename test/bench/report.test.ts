import { describe, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Line } from "../../bench/judge.ts"
import { oneAtATime } from "../../bench/load.ts"
import { writeReport } from "../../bench/report/report.ts"
import type { Taken } from "../../bench/run.ts"
import { CURVE } from "../../bench/scenarios/in-flight.ts"
import { besideOthers, WAYS_OUT } from "../../bench/scenarios/others.ts"
import { LAYERS, processorTimeOf, WAYS } from "../../bench/scenarios/processor-time.ts"

describe("the report", () => {
  test("has a plot of each kind, in the page and in a file of its own", async () => {
    const { page, files } = await written(await measured())
    expect(files).toEqual([
      "run-10-sleeps.svg",
      "run-latency-in-flight.svg",
      "run-latency.svg",
      "run-layers.svg",
      "run-others.svg",
      "run-processor-in-flight.svg",
      "run-processor.svg",
      "run-throughput.svg",
      "run.html",
    ])
    expect(page.match(/<svg /g)).toHaveLength(files.length - 1)
    for (const title of [
      "Throughput against calls in flight",
      "Latency against calls in flight",
      "Processor time of a call, one at a time",
      "Processor time of a call, 256 in flight",
    ]) {
      expect(page).toContain(title)
    }
  })

  test("needs nothing from elsewhere, and has no number that is none", async () => {
    const { page } = await written(await measured())
    expect(page.replaceAll('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(/https?:|<script/)
    expect(page).not.toMatch(/NaN|undefined|Infinity/)
  })

  test("shows what a name may contain as text", async () => {
    const { page } = await written(await measured(), [line("<b> & more")])
    expect(page).toContain("&lt;b> &amp; more")
    expect(page).not.toContain("<b>")
  })
})

async function written(taken: ReadonlyMap<string, Taken>, lines: readonly Line[] = [line("x")]) {
  const folder = mkdtempSync(join(tmpdir(), "bunhouse-report-"))
  try {
    const path = join(folder, "run.html")
    await writeReport(path, { facts: { cores: 2 }, lines, taken })
    return { page: await Bun.file(path).text(), files: readdirSync(folder).toSorted() }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function line(name: string): Line {
  return { name, unit: "ratio", value: 1.5, min: 1, max: 2, goal: "≥ 1", verdict: "met" }
}

/** What a full run takes, as far as the plots show it. */
async function measured(): Promise<Map<string, Taken>> {
  const { latencies } = await oneAtATime(() => Promise.resolve(), 100)
  const taken = new Map<string, Taken>()
  const take = (name: string, more: Partial<Taken> = {}) => {
    const figure = { name, unit: "us", measure: async () => 0 } as const
    taken.set(name, { figure, values: [10, 20, 30], latencies, spans: undefined, ...more })
  }
  for (const name of ["awaited call", "bare WebSocket echo", "bare nats.request()"]) {
    take(`${name}, p50`)
  }
  for (const flights of CURVE) {
    take(`curve: awaited calls, ${flights} in flight`)
    take(`curve: sync calls, ${flights} in flight`)
    take(`curve: bare nats.request(), ${flights} in flight`)
  }
  for (const way of WAYS_OUT) take(besideOthers(way))
  for (const way of WAYS) {
    for (const flights of [1, 256]) {
      for (const layer of LAYERS) take(processorTimeOf(way, flights, layer))
    }
  }
  take("10 sleeps", { spans: [{ startMs: 1, endMs: 5 }] })
  return taken
}
