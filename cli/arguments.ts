import { Command, CommanderError } from "commander"
import { BunhouseError, toErrorRecord } from "../protocol/errors.ts"
import { PACKAGE_VERSION } from "../protocol/version.ts"
import { addSimple, type Run } from "./arguments/command.ts"
import { addLogs, addRestart, addStart, addStop } from "./arguments/daemon.ts"
import { addBench, addCall, addDeploy, addJob, addJobs, addMap } from "./arguments/functions.ts"
import { type Cli, runCommand } from "./command.ts"
import { EXIT_CODES, EXIT_USAGE } from "./exit-codes.ts"
import { ENVIRONMENT_HELP, examplesText, exitCodesText, ROOT_EXAMPLES } from "./help.ts"

/**
 * The command line: which commands there are. Their options, and which file runs them, stand in arguments/. A command's
 * file is loaded when the command is run, because loading is most of what a short command costs.
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
  addDeploy(program, run)
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
