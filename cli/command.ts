import { asBunhouseError, type BunhouseError, toErrorRecord } from "../protocol/errors.ts"
import type { Environment } from "../protocol/home.ts"
import { exitOf } from "./exit-codes.ts"
import { printable } from "./render/printable.ts"
import type { Terminal } from "./terminal.ts"

/** What a command is given beside its own options. */
export interface Cli {
  readonly environment: Environment
  readonly terminal: Terminal
}

/** What a command has to say in the end: the same for a program (`--json`) and for a person. */
export interface Answer {
  /** Printed as one JSON document; undefined when all that there is to say was printed as it came. */
  readonly document: unknown
  /** Printed as it is; nothing when it is empty. */
  readonly text: string
  /** What one would do next; shown to a person only. */
  readonly suggestion?: string
  /** Default 0. */
  readonly exitCode?: number
}

/** A command; undefined when it has printed all that it had to say. */
export type Command = (cli: Cli) => Promise<Answer | undefined>

/**
 * Runs a command to its end: data goes to stdout, messages go to stderr, failures become the exit code of their code.
 * Never rejects.
 */
export async function runCommand(cli: Cli, isJson: boolean, command: Command): Promise<number> {
  const { terminal } = cli
  try {
    const answer = await command(cli)
    if (answer !== undefined) await printAnswer(terminal, isJson, answer)
    return answer?.exitCode ?? 0
  } catch (thrown) {
    const error = asBunhouseError(thrown, "the command")
    terminal.say(failureText(error))
    if (isJson) await terminal.print(JSON.stringify({ error: toErrorRecord(error) }))
    return exitOf(error)
  }
}

export async function printAnswer(
  terminal: Terminal,
  isJson: boolean,
  { document, text, suggestion }: Answer,
): Promise<void> {
  if (isJson) return document === undefined ? undefined : terminal.print(JSON.stringify(document))
  if (text !== "") await terminal.print(text)
  if (suggestion !== undefined) terminal.suggest(suggestion)
}

/** What failed, for people. A defect is shown with its trace; everything else explains itself. */
export function failureText(error: BunhouseError): string {
  const { code, message, cause } = error
  if (code === "UNAUTHENTICATED" && REFUSAL.test(message)) return `bunhouse: ${WRONG_TOKEN}`
  const isDefect = code === "INTERNAL" && cause instanceof Error
  const trace = isDefect ? `\n${printable(cause.stack ?? "")}` : ""
  return `bunhouse: ${printable(message)}${trace}`
}

/** The daemon's own words are for who speaks HTTP; those of a broker explain themselves. */
const REFUSAL = /^expected the header `authorization: /
const WRONG_TOKEN =
  "the daemon does not accept this token; it comes from BUNHOUSE_TOKEN, else from the file `token` in the state folder"
