import type { Command } from "commander"
import type { Command as CommandToRun } from "../command.ts"
import {
  COMMANDS,
  type CommandHelp,
  type CommandName,
  examplesText,
  exitCodesText,
} from "../help.ts"

/** What all commands have: their help, and `--json`. */

/** Runs what a command line asks for; `arguments.ts` makes it. */
export type Run = (options: JsonFlag, command: CommandToRun) => Promise<void>

export interface JsonFlag {
  readonly json?: true
}

export function addCommand(program: Command, name: CommandName, usage: string = name): Command {
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
export function addSimple(
  program: Command,
  run: Run,
  name: "status" | "ls" | "version",
  load: () => Promise<CommandToRun>,
): void {
  addCommand(program, name).action((options: JsonFlag) =>
    run(options, async (cli) => (await load())(cli)),
  )
}

/** As commander gives it; option-values.ts reads it. */
export interface TimeoutFlag {
  readonly timeout: string
}
