import type { Command } from "commander"
import { BunhouseError } from "../../protocol/errors.ts"
import { DEFAULT_ENV } from "../../protocol/names.ts"
import { parseCount, parseDurationMs } from "../option-values.ts"
import { addCommand, type JsonFlag, type Run, type TimeoutFlag } from "./command.ts"

/** Commands about functions: `deploy`, `call`, `map`, `jobs`, `job`, `bench`. */

export function addDeploy(program: Command, run: Run): void {
  addCommand(program, "deploy", "deploy <file[:export]>")
    .option("--env <env>", "Where to", DEFAULT_ENV)
    .option("--name <name>", "What it is called there (default: as the export, or as the file)")
    .option("-w, --watch", "Send it again whenever one of its files is saved")
    .option("--timeout <time>", "How long the file may take to load here", "30s")
    .action((target: string, options: DeployFlags & JsonFlag) =>
      run(options, async (cli) => {
        const timeoutMs = parseDurationMs("--timeout", options.timeout)
        const { deploy } = await import("../commands/deploy.ts")
        const { env, name } = options
        const isWatched = options.watch === true
        return deploy(cli, target, {
          env,
          name,
          timeoutMs,
          isWatched,
          isJson: options.json === true,
        })
      }),
    )
}

interface DeployFlags extends TimeoutFlag {
  readonly env: string
  readonly name?: string
  readonly watch?: true
}

export function addCall(program: Command, run: Run): void {
  addCommand(program, "call", "call <function> [args...]")
    .option("--timeout <time>", "Deadline of the call, 0 for none (default: 5m)")
    .action((target: string, words: readonly string[], options: Partial<TimeoutFlag> & JsonFlag) =>
      run(options, async (cli) => {
        const { timeout } = options
        const timeoutMs = timeout === undefined ? undefined : parseDurationMs("--timeout", timeout)
        return (await import("../commands/call.ts")).call(cli, target, words, timeoutMs)
      }),
    )
}

export function addMap(program: Command, run: Run): void {
  addCommand(program, "map", "map <function>")
    .option("--file <path>", "One JSON document a line; without it: stdin")
    .option("--concurrency <count>", "Calls at a time (default: 64)")
    .option("--settled", "Go on after a failure; each result says how its call ended")
    .option("--spread", "Each line is a JSON list of all the arguments")
    .option("--timeout <time>", "Deadline of each call, 0 for none (default: 5m)")
    .action((target: string, options: MapFlags & JsonFlag) =>
      run(options, async (cli) => {
        const { file, concurrency, timeout } = options
        return (await import("../commands/map.ts")).map(cli, target, {
          file,
          concurrency:
            concurrency === undefined ? undefined : parseCount("--concurrency", concurrency),
          isSettled: options.settled === true,
          isSpread: options.spread === true,
          timeoutMs: timeout === undefined ? undefined : parseDurationMs("--timeout", timeout),
        })
      }),
    )
}

interface MapFlags extends Partial<TimeoutFlag> {
  readonly file?: string
  readonly concurrency?: string
  readonly settled?: true
  readonly spread?: true
}

export function addJobs(program: Command, run: Run): void {
  addCommand(program, "jobs")
    .option("--state <state>", "Only jobs of that state")
    .option("--dead", "Only durable jobs that failed for good")
    .option("-n, --limit <count>", "How many at most", "50")
    .action((options: JobsFlags & JsonFlag) =>
      run(options, async (cli) => {
        const limit = parseCount("--limit", options.limit)
        if (options.dead === true && options.state !== undefined) throw twoFilters()
        const state = options.dead === true ? "dead" : options.state
        return (await import("../commands/jobs.ts")).jobs(cli, { state, limit })
      }),
    )
}

interface JobsFlags {
  readonly state?: string
  readonly dead?: true
  readonly limit: string
}

function twoFilters(): BunhouseError {
  return new BunhouseError("INVALID_ARGUMENT", "--dead and --state are filters: one of them")
}

export function addJob(program: Command, run: Run): void {
  addCommand(program, "job", "job <id>")
    .option("--cancel", "End it, unless it has ended")
    .option("--logs", "Show what it printed instead")
    .option("-f, --follow", "With --logs: go on until it has ended")
    .action((id: string, options: JobFlags & JsonFlag) =>
      run(options, async (cli) => {
        const { cancel: isCancelled = false, logs: areLogs = false } = options
        const { json: isJson = false, follow: isFollowed = false } = options
        if (areLogs && !isCancelled) {
          const { jobLogs } = await import("../commands/job-logs.ts")
          return jobLogs(cli, id, { isFollowed, isJson })
        }
        if (areLogs || isFollowed) throw refused(areLogs)
        return (await import("../commands/job.ts")).job(cli, id, isCancelled)
      }),
    )
}

interface JobFlags {
  readonly cancel?: true
  readonly logs?: true
  readonly follow?: true
}

function refused(areLogs: boolean): BunhouseError {
  const message = areLogs ? "--logs shows, and --cancel ends: one of them" : "-f goes with --logs"
  return new BunhouseError("INVALID_ARGUMENT", message)
}

export function addBench(program: Command, run: Run): void {
  addCommand(program, "bench")
    .option("--calls <count>", "Calls made one after another", "2000")
    .option("--flights <count>", "Calls in flight at any time", "256")
    .option("--time <time>", "How long they are kept in flight", "3s")
    .action((options: BenchFlags & JsonFlag) =>
      run(options, async (cli) => {
        const extent = {
          calls: parseCount("--calls", options.calls),
          flights: parseCount("--flights", options.flights),
          ms: parseDurationMs("--time", options.time),
        }
        return (await import("../commands/bench.ts")).bench(cli, extent)
      }),
    )
}

interface BenchFlags {
  readonly calls: string
  readonly flights: string
  readonly time: string
}
