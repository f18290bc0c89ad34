import { BunhouseError } from "../../protocol/errors.ts"
import { daemonLog, envLog, homePaths, homeRoot } from "../../protocol/home.ts"
import { logFiles } from "../../protocol/log-rotation.ts"
import { checkName } from "../../protocol/names.ts"
import type { Cli } from "../command.ts"
import { followLines } from "../logs/follow.ts"
import { lastLines } from "../logs/log-file.ts"
import { parseEnvLine, renderEnvLine } from "../render/env-line.ts"
import { renderLogLine } from "../render/log-line.ts"

export interface LogsOptions {
  /** Whose output; undefined for the daemon's log. */
  readonly env: string | undefined
  readonly lines: number
  readonly isFollowed: boolean
  readonly isJson: boolean
  /** Only lines of this call. */
  readonly call: string | undefined
}

/** `bunhouse logs`: read from the files of this machine, so that it works without a daemon as well. */
export async function logs(
  { environment, terminal }: Cli,
  options: LogsOptions,
): Promise<undefined> {
  const { env, lines: count, isFollowed, isJson, call } = options
  const home = homePaths(homeRoot(environment))
  if (env !== undefined) checkName("env", env)
  if (call !== undefined && env === undefined) throw callWithoutEnv()
  const path = env === undefined ? daemonLog(home) : envLog(home, env)
  const isMissing = !(await Bun.file(path).exists())
  if (isMissing && !isFollowed) throw noLog(env, home.root)
  if (isMissing) terminal.say("bunhouse: there is no log yet; waiting for one (Ctrl-C ends)")
  const show = (line: string): string => {
    if (isJson) return jsonLine(line)
    const render = env === undefined ? renderLogLine : renderEnvLine
    return render(line, terminal.style)
  }
  const isWanted = (line: string) => call === undefined || parseEnvLine(line)?.call === call
  const never = new AbortController().signal
  // Which lines are of the call is seen by reading them.
  const look = call === undefined || count === 0 ? count : Number.MAX_SAFE_INTEGER
  const batches = isFollowed ? followLines(path, look, never) : [last(path, count, look, isWanted)]
  for await (const batch of batches) {
    const lines = batch.filter(isWanted)
    if (lines.length > 0) await terminal.print(lines.map(show).join("\n"))
  }
}

/** The last lines that are wanted, also those from before the log was begun anew. */
function last(
  path: string,
  count: number,
  look: number,
  isWanted: (line: string) => boolean,
): readonly string[] {
  let lines: string[] = []
  for (const file of logFiles(path)) {
    if (lines.length >= count) break
    lines = [...lastLines(file, look).filter(isWanted), ...lines]
  }
  return lines.slice(Math.max(0, lines.length - count))
}

function callWithoutEnv(): BunhouseError {
  return new BunhouseError("INVALID_ARGUMENT", "--call goes with an env: its calls print there")
}

/** Lines of the daemon and of functions are JSON already; what else an env's process wrote becomes `{"text": …}`. */
function jsonLine(line: string): string {
  try {
    const entry: unknown = JSON.parse(line)
    if (typeof entry === "object" && entry !== null && "event" in entry) return line
    if (parseEnvLine(line) !== undefined) return line
  } catch {
    // Text, then.
  }
  return JSON.stringify({ text: line })
}

function noLog(env: string | undefined, root: string): BunhouseError {
  const message =
    env === undefined
      ? `${root} has no log: no daemon was started there yet; start one with \`bunhouse start\``
      : `env ${JSON.stringify(env)} has no log: it was not started yet; \`bunhouse status\` lists the envs`
  return new BunhouseError("NOT_FOUND", message)
}
