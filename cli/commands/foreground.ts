import { BunhouseError } from "../../protocol/errors.ts"
import { type Cli, printAnswer } from "../command.ts"
import { ensureRunning, type Running } from "../daemon/ensure-running.ts"
import { daemonLog } from "../../protocol/home.ts"
import { followLines } from "../logs/follow.ts"
import { renderLogLine } from "../render/log-line.ts"
import { launchOptions, type Listen, runningAnswer } from "./start.ts"

/**
 * `bunhouse start --foreground`: a daemon that lives as long as this program, with its log on stderr. The log goes
 * through the file, as ever: a terminal that is held up must not hold up the daemon.
 *
 * @throws {BunhouseError} UNAVAILABLE when a daemon runs already: a supervisor must not take this end for a success.
 */
export async function startInForeground(
  cli: Cli,
  listen: Listen,
  isJson: boolean,
): Promise<undefined> {
  const options = { ...launchOptions(cli, listen), isAttached: true }
  const ended = new AbortController()
  const shown = showLog(cli, daemonLog(options.home), ended.signal)
  try {
    await lifeOf(await ensureRunning(options), cli, isJson)
  } finally {
    ended.abort()
    await shown
  }
  return undefined
}

async function lifeOf(running: Running, cli: Cli, isJson: boolean): Promise<void> {
  const { child } = running
  if (child === undefined) {
    const message = `the daemon is running at ${running.url} already; end it with \`bunhouse stop\` first`
    throw new BunhouseError("UNAVAILABLE", message)
  }
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => child.kill(signal))
  }
  await printAnswer(cli.terminal, isJson, runningAnswer(running, cli.environment))
  await child.exited
  if (child.exitCode === 0) return
  const how = child.signalCode ?? `exit code ${child.exitCode}`
  throw new BunhouseError("DAEMON_LOST", `the daemon ended (${how}); see \`bunhouse logs\``)
}

async function showLog({ terminal }: Cli, log: string, signal: AbortSignal): Promise<void> {
  for await (const lines of followLines(log, 0, signal)) {
    for (const line of lines) terminal.say(renderLogLine(line, terminal.messageStyle))
  }
}
