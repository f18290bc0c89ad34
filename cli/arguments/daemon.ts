import type { Command } from "commander"
import { readHost } from "../../protocol/home.ts"
import type { Listen } from "../commands/start.ts"
import { parseCount, parseDurationMs, parsePort } from "../option-values.ts"
import { addCommand, type JsonFlag, type Run, type TimeoutFlag } from "./command.ts"

/** Commands about the daemon: `start`, `stop`, `restart`, `logs`. */

export function addStart(program: Command, run: Run): void {
  withListen(addCommand(program, "start"))
    .option("--foreground", "Run in this terminal until Ctrl-C")
    .action((options: ListenFlags & JsonFlag & { readonly foreground?: true }) =>
      run(options, async (cli) => {
        const listen = listenOf(options)
        if (options.foreground !== true) {
          return (await import("../commands/start.ts")).start(cli, listen)
        }
        const { startInForeground } = await import("../commands/foreground.ts")
        return startInForeground(cli, listen, options.json === true)
      }),
    )
}

export function addStop(program: Command, run: Run): void {
  withStopTimeout(addCommand(program, "stop")).action((options: TimeoutFlag & JsonFlag) =>
    run(options, async (cli) => {
      const timeoutMs = parseDurationMs("--timeout", options.timeout)
      return (await import("../commands/stop.ts")).stop(cli, timeoutMs)
    }),
  )
}

export function addRestart(program: Command, run: Run): void {
  withListen(withStopTimeout(addCommand(program, "restart"))).action(
    (options: ListenFlags & TimeoutFlag & JsonFlag) =>
      run(options, async (cli) => {
        const timeoutMs = parseDurationMs("--timeout", options.timeout)
        const listen = listenOf(options)
        return (await import("../commands/restart.ts")).restart(cli, timeoutMs, listen)
      }),
  )
}

export function addLogs(program: Command, run: Run): void {
  addCommand(program, "logs", "logs [env]")
    .option("-f, --follow", "Go on showing what comes")
    .option("-n, --lines <count>", "How many lines to begin with", "100")
    .option("--call <id>", "Only what one call printed")
    .action((env: string | undefined, options: LogsFlags & JsonFlag) =>
      run(options, async (cli) => {
        const lines = parseCount("--lines", options.lines)
        const { logs } = await import("../commands/logs.ts")
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

function withStopTimeout(command: Command): Command {
  const what = "How long the daemon may take before it is ended by force"
  return command.option("--timeout <time>", what, "15s")
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
    ...(host !== undefined && { host: readHost("--host", host) }),
    ...(port !== undefined && { port: parsePort("--port", port) }),
  }
}
