import { join } from "node:path"
import { BunhouseError } from "../../protocol/errors.ts"
import { homePaths, homeRoot } from "../../protocol/home.ts"
import { checkName, nameToken } from "../../protocol/names.ts"
import type { Cli } from "../command.ts"
import { daemonLog } from "../daemon/launch.ts"
import { followLines } from "../logs/follow.ts"
import { lastLines } from "../logs/log-file.ts"
import { renderLogLine } from "../render/log-line.ts"
import { printable } from "../render/printable.ts"

export interface LogsOptions {
  /** Whose output; undefined for the daemon's log. */
  readonly env: string | undefined
  readonly lines: number
  readonly isFollowed: boolean
  readonly isJson: boolean
}

/** `bunhouse logs`: read from the files of this machine, so that it works without a daemon as well. */
export async function logs(
  { environment, terminal }: Cli,
  options: LogsOptions,
): Promise<undefined> {
  const { env, lines: count, isFollowed, isJson } = options
  const home = homePaths(homeRoot(environment))
  if (env !== undefined) checkName("env", env)
  const path = env === undefined ? daemonLog(home) : join(home.logs, `${nameToken(env)}.log`)
  const isMissing = !(await Bun.file(path).exists())
  if (isMissing && !isFollowed) throw noLog(env, home.root)
  if (isMissing) terminal.say("bunhouse: there is no log yet; waiting for one (Ctrl-C ends)")
  const show = (line: string): string => {
    if (isJson) return jsonLine(line)
    return env === undefined
      ? renderLogLine(line, terminal.style)
      : printable(line.replace(/\r$/, ""))
  }
  const never = new AbortController().signal
  const batches = isFollowed ? followLines(path, count, never) : [lastLines(path, count)]
  for await (const batch of batches) {
    if (batch.length > 0) await terminal.print(batch.map(show).join("\n"))
  }
}

/** The daemon's lines are JSON already; what an env wrote becomes `{"text": …}`. */
function jsonLine(line: string): string {
  try {
    const entry: unknown = JSON.parse(line)
    if (typeof entry === "object" && entry !== null && "event" in entry) return line
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
