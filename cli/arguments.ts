import { Command, CommanderError } from "commander"
import { BunhouseError, toErrorRecord } from "../protocol/errors.ts"
import { PACKAGE_VERSION } from "../protocol/version.ts"
import { type Cli, type Command as CommandToRun, runCommand } from "./command.ts"
import type { Listen } from "./commands/start.ts"
import { parseCount, parseDurationMs, parsePort } from "./option-values.ts"
import { EXIT_CODES, EXIT_USAGE } from "./exit-codes.ts"
import {
  COMMANDS,
  type CommandHelp,
  type CommandName,
  ENVIRONMENT_HELP,
  examplesText,
  exitCodesText,
  ROOT_EXAMPLES,
} from "./help.ts"

/**
 * The command line: which commands and options there are, and which file runs them. A command's file is loaded when the
 * command is run, because loading is most of what a short command costs.
 *
 * Returns the exit code. Rejects only with what is a defect of this file.
 */
export async function runCommandLine(words: readonly string[], cli: Cli): Promise<number> {
  let exitCode = 0
  const run: Run = async (options, command) => {
    exitCode = await runCommand(cli, options.json === true, command)
  }
  try {
    await makeProgram(run).parseAsync(words, { from: "user" })
    return exitCode
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return 0 // Help and version end this way too.
    if (words.includes("--json")) {
      const usage = new BunhouseError("INVALID_ARGUMENT", error.message.replace(/^error: /, ""))
      await cli.terminal.print(JSON.stringify({ error: toErrorRecord(usage) }))
    }
    return EXIT_USAGE
  }
}

type Run = (options: JsonFlag, command: CommandToRun) => Promise<void>

interface JsonFlag {
  readonly json?: true
}

function makeProgram(run: Run): Command {
  const program = new Command("bunhouse")
    .description("Runs your functions in warm processes. This command looks after their daemon.")
    .version(PACKAGE_VERSION, "-V, --version", "Print the version")
    .helpOption("-h, --help", "Show this help")
    .helpCommand("help [command]", "Show the help of a command")
    .configureHelp({ subcommandTerm: (command) => termOf(command) })
    .enablePositionalOptions() // Leaves `--` to the commands.
    .showHelpAfterError("Run it with --help for examples.")
    .exitOverride()
    .addHelpText("before", () => examplesText(ROOT_EXAMPLES))
    .addHelpText("after", () => {
      const exits = Object.keys(EXIT_CODES).map(Number)
      return `\n${ENVIRONMENT_HELP}\n\n${exitCodesText(exits)}`
    })
  addStart(program, run)
  addStop(program, run)
  addRestart(program, run)
  addSimple(program, run, "status", async () => (await import("./commands/status.ts")).status)
  addLogs(program, run)
  addCall(program, run)
  addMap(program, run)
  addJobs(program, run)
  addJob(program, run)
  addSimple(program, run, "ls", async () => (await import("./commands/ls.ts")).ls)
  addBench(program, run)
  addSimple(program, run, "version", async () => (await import("./commands/version.ts")).version)
  return program
}

/** A command in the list of all: its arguments matter there, that it has options does not. */
function termOf(command: Command): string {
  const args = command.registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? "..." : ""}`
    return argument.required ? ` <${name}>` : ` [${name}]`
  })
  return `${command.name()}${args.join("")}`
}

function addCommand(program: Command, name: CommandName, usage: string = name): Command {
  const help: CommandHelp = COMMANDS[name]
  const notes = help.notes === undefined ? "" : `\n${help.notes}\n`
  return program
    .command(usage)
    .summary(help.summary)
    .description(`${help.summary}.`)
    .option("--json", "Print JSON instead of text")
    .helpOption("-h, --help", "Show this help")
    .addHelpText("before", () => examplesText(help.examples))
    .addHelpText("after", () => `${notes}\n${exitCodesText(help.exits)}`)
}

/** A command without options of its own. */
function addSimple(
  program: Command,
  run: Run,
  name: "status" | "ls" | "version",
  load: () => Promise<CommandToRun>,
): void {
  addCommand(program, name).action((options: JsonFlag) =>
    run(options, async (cli) => (await load())(cli)),
  )
}

function addStart(program: Command, run: Run): void {
  withListen(addCommand(program, "start"))
    .option("--foreground", "Run in this terminal until Ctrl-C")
    .action((options: ListenFlags & JsonFlag & { readonly foreground?: true }) =>
      run(options, async (cli) => {
        const listen = listenOf(options)
        if (options.foreground !== true) {
          return (await import("./commands/start.ts")).start(cli, listen)
        }
        const { startInForeground } = await import("./commands/foreground.ts")
        return startInForeground(cli, listen, options.json === true)
      }),
    )
}

function addStop(program: Command, run: Run): void {
  withStopTimeout(addCommand(program, "stop")).action((options: TimeoutFlag & JsonFlag) =>
    run(options, async (cli) => {
      const timeoutMs = parseDurationMs("--timeout", options.timeout)
      return (await import("./commands/stop.ts")).stop(cli, timeoutMs)
    }),
  )
}

function addRestart(program: Command, run: Run): void {
  withListen(withStopTimeout(addCommand(program, "restart"))).action(
    (options: ListenFlags & TimeoutFlag & JsonFlag) =>
      run(options, async (cli) => {
        const timeoutMs = parseDurationMs("--timeout", options.timeout)
        const listen = listenOf(options)
        return (await import("./commands/restart.ts")).restart(cli, timeoutMs, listen)
      }),
  )
}

function addLogs(program: Command, run: Run): void {
  addCommand(program, "logs", "logs [env]")
    .option("-f, --follow", "Go on showing what comes")
    .option("-n, --lines <count>", "How many lines to begin with", "100")
    .option("--call <id>", "Only what one call printed")
    .action((env: string | undefined, options: LogsFlags & JsonFlag) =>
      run(options, async (cli) => {
        const lines = parseCount("--lines", options.lines)
        const { logs } = await import("./commands/logs.ts")
        const isFollowed = options.follow === true
        return logs(cli, {
          env,
          lines,
          isFollowed,
          isJson: options.json === true,
          call: options.call,
        })
      }),
    )
}

interface LogsFlags {
  readonly follow?: true
  readonly lines: string
  readonly call?: string
}

function addCall(program: Command, run: Run): void {
  addCommand(program, "call", "call <function> [args...]")
    .option("--timeout <time>", "Deadline of the call, 0 for none (default: 5m)")
    .action((target: string, words: readonly string[], options: Partial<TimeoutFlag> & JsonFlag) =>
      run(options, async (cli) => {
        const { timeout } = options
        const timeoutMs = timeout === undefined ? undefined : parseDurationMs("--timeout", timeout)
        return (await import("./commands/call.ts")).call(cli, target, words, timeoutMs)
      }),
    )
}

function addBench(program: Command, run: Run): void {
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
        return (await import("./commands/bench.ts")).bench(cli, extent)
      }),
    )
}

interface BenchFlags {
  readonly calls: string
  readonly flights: string
  readonly time: string
}

function addMap(program: Command, run: Run): void {
  addCommand(program, "map", "map <function>")
    .option("--file <path>", "One JSON document a line; without it: stdin")
    .option("--concurrency <count>", "Calls at a time (default: 64)")
    .option("--settled", "Go on after a failure; each result says how its call ended")
    .option("--spread", "Each line is a JSON list of all the arguments")
    .option("--timeout <time>", "Deadline of each call, 0 for none (default: 5m)")
    .action((target: string, options: MapFlags & JsonFlag) =>
      run(options, async (cli) => {
        const { file, concurrency, timeout } = options
        return (await import("./commands/map.ts")).map(cli, target, {
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

function addJobs(program: Command, run: Run): void {
  addCommand(program, "jobs")
    .option("--state <state>", "Only jobs of that state")
    .option("--dead", "Only durable jobs that failed for good")
    .option("-n, --limit <count>", "How many at most", "50")
    .action((options: JobsFlags & JsonFlag) =>
      run(options, async (cli) => {
        const limit = parseCount("--limit", options.limit)
        const state = options.dead === true ? "dead" : options.state
        return (await import("./commands/jobs.ts")).jobs(cli, { state, limit })
      }),
    )
}

interface JobsFlags {
  readonly state?: string
  readonly dead?: true
  readonly limit: string
}

function addJob(program: Command, run: Run): void {
  addCommand(program, "job", "job <id>")
    .option("--cancel", "End it, unless it has ended")
    .action((id: string, options: JsonFlag & { readonly cancel?: true }) =>
      run(options, async (cli) => {
        return (await import("./commands/job.ts")).job(cli, id, options.cancel === true)
      }),
    )
}

function withStopTimeout(command: Command): Command {
  const what = "How long the daemon may take before it is ended by force"
  return command.option("--timeout <time>", what, "15s")
}

interface TimeoutFlag {
  readonly timeout: string
}

function withListen(command: Command): Command {
  return command
    .option("--host <host>", "Address to listen on")
    .option("--port <port>", "Port to listen on, 0 for any free one")
}

interface ListenFlags {
  readonly host?: string
  readonly port?: string
}

function listenOf({ host, port }: ListenFlags): Listen {
  return {
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port: parsePort("--port", port) }),
  }
}
