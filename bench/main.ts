import { appendFileSync } from "node:fs"
import { cpus, loadavg } from "node:os"
import { join } from "node:path"
import { Command } from "commander"
import { findNatsServer } from "../broker/find.ts"
import { homePaths, homeRoot } from "../protocol/home.ts"
import { PACKAGE_VERSION } from "../protocol/version.ts"
import { isMet, type Scenario, showGoal } from "./figure.ts"
import { startFloors } from "./floors/floors.ts"
import { median } from "./load.ts"
import { type Extent, scenarios } from "./scenarios.ts"
import { startSubject } from "./subject.ts"

/**
 * `bun run bench`: measures bunhouse against bare floors in one run, in alternating order, and judges the ratios of the
 * medians. Progress goes to stderr, results to stdout; each run is appended to bench/results/.
 */
const QUICK: Extent = { sequentialCalls: 500, flightMs: 300, blockingCalls: 15 }
const FULL: Extent = { sequentialCalls: 2_000, flightMs: 1_000, blockingCalls: 40 }

const options = new Command("bench")
  .description("measures bunhouse against bare floors, in one run")
  .option("--json", "print one JSON line per figure and ratio")
  .option("--quick", "short rounds, to see that all is well")
  .option("--rounds <n>", "rounds to take the medians of", "5")
  .option("--only <text>", "scenarios whose name contains this text", "")
  .option(
    "--results <file>",
    "file to append the results to",
    join(import.meta.dir, "results", "local.jsonl"),
  )
  .parse()
  .opts<{ json?: true; quick?: true; rounds: string; only: string; results: string }>()

process.env["BUNHOUSE_QUIET"] = "1"
const rounds = options.quick ? 3 : Number(options.rounds)
const { path: natsServer, version: natsVersion } = await findNatsServer({
  environment: process.env,
  cache: homePaths(homeRoot(process.env)).cache,
  progress: (line) => console.error(line),
})
await using floors = await startFloors(natsServer)
await using subject = await startSubject(natsServer)
const chosen = scenarios(subject, floors, options.quick ? QUICK : FULL).filter(({ name }) =>
  name.includes(options.only),
)
const values = await measure(chosen)
const lines = judge(chosen, values)
for (const line of lines) console.log(options.json ? JSON.stringify(line) : show(line))
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, load: loadavg()[0] }
const run = {
  time: new Date().toISOString(),
  bunhouse: PACKAGE_VERSION,
  bun: Bun.version,
  nats: natsVersion,
  machine,
  rounds,
  quick: options.quick === true,
}
appendFileSync(options.results, `${JSON.stringify({ ...run, lines })}\n`)
if (lines.some((line) => line.verdict === "missed")) process.exitCode = 1

interface Line {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly min: number
  readonly max: number
  readonly goal?: string
  readonly verdict?: "met" | "missed"
}

async function measure(all: readonly Scenario[]): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>()
  // Round 0 warms up and is thrown away.
  for (let round = 0; round <= rounds; round++) {
    for (const { name, figures } of all) {
      // Every other round runs backwards, so that no figure always comes after the same other one.
      const order = round % 2 === 0 || name === "restart" ? figures : figures.toReversed()
      for (const figure of order) {
        process.stderr.write(`\r\u001b[2Kround ${round}/${rounds}: ${figure.name}`)
        const value = await figure.measure()
        if (round > 0) found.set(figure.name, [...(found.get(figure.name) ?? []), value])
      }
    }
  }
  process.stderr.write("\r\u001b[2K")
  return found
}

function judge(all: readonly Scenario[], measured: Map<string, number[]>): Line[] {
  const middle = (name: string) => median(measured.get(name) ?? [])
  return all.flatMap(({ figures, ratios, bounds = [] }) => [
    ...figures.map(({ name, unit }): Line => {
      const rounded = (measured.get(name) ?? []).map((value) => Math.round(value * 10) / 10)
      const bound = bounds.find((candidate) => candidate.name === name)
      const value = median(rounded)
      return {
        name,
        value,
        unit,
        min: Math.min(...rounded),
        max: Math.max(...rounded),
        ...(bound !== undefined && {
          goal: showGoal(bound.goal),
          verdict: isMet(value, bound.goal) ? "met" : "missed",
        }),
      }
    }),
    ...ratios
      .filter(({ of, to }) => [of, ...to].every((name) => measured.has(name)))
      .map(({ name, of, to, goal }): Line => {
        const value = middle(of) / to.reduce((sum, floor) => sum + middle(floor), 0)
        const rounded = Math.round(value * 100) / 100
        return {
          name,
          value: rounded,
          unit: "ratio",
          min: rounded,
          max: rounded,
          goal: showGoal(goal),
          verdict: isMet(rounded, goal) ? "met" : "missed",
        }
      }),
  ])
}

function show({ name, value, unit, min, max, goal, verdict }: Line): string {
  const spread = min === max ? "" : `  (${min} … ${max})`
  const judged = goal === undefined ? "" : `  goal ${goal}: ${verdict}`
  return `${name.padEnd(64)} ${String(value).padStart(10)} ${unit}${spread}${judged}`
}
