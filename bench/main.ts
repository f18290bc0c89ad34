import { appendFileSync, readFileSync } from "node:fs"
import { cpus, loadavg } from "node:os"
import { join } from "node:path"
import { Command } from "commander"
import { findNatsServer } from "../broker/find.ts"
import { setQuiet } from "../client/notices.ts"
import { homePaths, homeRoot } from "../protocol/home.ts"
import { sourcePath } from "../protocol/root.ts"
import { PACKAGE_VERSION } from "../protocol/version.ts"
import { startFloors } from "./floors/floors.ts"
import { watchSteal } from "./machine.ts"
import { judge, type Line, showLine } from "./judge.ts"
import { preparePeers } from "./peers/peers.ts"
import { writeReport } from "./report/report.ts"
import { run } from "./run.ts"
import { allScenarios, FULL, guarding, HEADLINES, QUICK, type Stage } from "./scenarios/index.ts"
import { startSubject } from "./subject.ts"

/**
 * `bun run bench`: measures bunhouse against bare floors and peers in one run, in alternating order, and judges the
 * ratios. Progress goes to stderr, results to stdout; each run is appended to bench/results/. Alone it measures what guards
 * the shape, and says two numbers last; with `--full` it measures everything, with `--quick` everything that is judged, in about
 * a minute.
 */
/** Beyond it, what many processes do together is disturbed more than what few do, and ratios with it. */
const STOLEN_PERCENT_MAX = 5
const RESULTS = join(import.meta.dir, "results")

const options = new Command("bench")
  .description("measures bunhouse against bare floors and peers, in one run")
  .option("--full", "all scenarios, at their full size, with a report")
  .option("--quick", "every scenario that is judged, in short rounds")
  .option("--only <text>", "scenarios whose name contains this text")
  .option("--rounds <n>", "rounds to take the medians of (5; with --quick 2)")
  .option("--json", "print one JSON line per figure and ratio")
  .option("--baseline <file>", "compare with the last run in this file of results")
  .option("--results <file>", "file to append the results to", join(RESULTS, "local.jsonl"))
  .option("--report <file>", "HTML report of a full run", join(RESULTS, "local.html"))
  .parse()
  .opts<{
    full?: true
    quick?: true
    only?: string
    rounds?: string
    json?: true
    baseline?: string
    results: string
    report: string
  }>()

setQuiet(true)
const { full, quick, only } = options
const rounds = Number(options.rounds ?? (quick ? 2 : 5))
const baseline = options.baseline === undefined ? undefined : readBaseline(options.baseline)
const { cache } = homePaths(homeRoot(process.env))
const natsServer = await findNatsServer({
  environment: process.env,
  cache,
  progress: (line) => console.error(line),
})
await makeBundles(cache)
await using floors = await startFloors(natsServer.path)
await using peers = preparePeers(floors.natsUrl)
await using subject = await startSubject({ natsServer: natsServer.path, cache })
const stage: Stage = { subject, floors, peers, extent: quick ? QUICK : FULL }
const isSuite = full || quick || only !== undefined
const scenarios = (isSuite ? allScenarios(stage) : guarding(stage)).filter(({ name }) =>
  name.includes(only ?? ""),
)
const stolen = watchSteal()
const taken = await run(scenarios, {
  rounds,
  areMixed: !stage.extent.isQuick,
  progress(line) {
    process.stderr.write(process.stderr.isTTY ? `\r\u001b[2K${line}` : `${line}\n`)
  },
})
if (process.stderr.isTTY) process.stderr.write("\r\u001b[2K")
const lines = judge(scenarios, taken, baseline)
for (const line of lines) console.log(options.json ? JSON.stringify(line) : showLine(line))
if (!options.json) {
  const headlines = lines.filter(({ name }) => HEADLINES.includes(name))
  console.log(headlines.map(({ name, value, unit }) => `\n${name}: ${value} ${unit}`).join(""))
}
const facts = {
  time: new Date().toISOString(),
  command: `bun run bench ${process.argv.slice(2).join(" ")}`.trim(),
  bunhouse: PACKAGE_VERSION,
  bun: Bun.version,
  nats: natsServer.version,
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  load: loadavg()[0] ?? 0,
  stolenPercent: stolen() ?? "unknown",
  rounds,
}
appendFileSync(options.results, `${JSON.stringify({ ...facts, lines })}\n`)
if (Number(facts.stolenPercent) > STOLEN_PERCENT_MAX) {
  console.error(`other guests of this machine took ${facts.stolenPercent} % of it: measure again`)
}
// A part of it has no figures for most plots, and must not take the place of one that has them.
if (full && only === undefined) {
  await writeReport(options.report, { facts, lines, taken })
  console.error(`the report is in ${options.report}`)
}
if (lines.some((line) => line.verdict === "missed")) process.exitCode = 1

/** As the first `bunhouse start` does, in the background, for all later ones. */
async function makeBundles(folder: string): Promise<void> {
  const child = Bun.spawn([process.execPath, sourcePath("server/bundle.ts"), folder])
  if ((await child.exited) !== 0) throw new Error("the programs cannot be bundled")
}

/** The lines of the last run in a file of results. */
function readBaseline(path: string): ReadonlyMap<string, Line> {
  const last = readFileSync(path, "utf8").trim().split("\n").at(-1) ?? ""
  const results: { readonly lines: readonly Line[] } = JSON.parse(last)
  return new Map(results.lines.map((line) => [line.name, line]))
}
