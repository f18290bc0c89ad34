import { asBunhouseError, toErrorRecord } from "../protocol/errors.ts"
import { daemonLog, homePaths } from "../protocol/home.ts"
import { Daemon } from "./daemon.ts"
import type { StartLine } from "./entry.ts"
import { boundLog, log } from "./log.ts"
import { readSettings } from "./settings.ts"

/**
 * Entry of the daemon process: `bun server/main.ts [host] [port]`. On stdout it says how the start goes, in JSON lines
 * (`StartLine` of entry.ts) for whoever started it. Everything else is in the log, on stderr.
 */
async function main(): Promise<void> {
  const [, , host, port] = process.argv
  try {
    const settings = readSettings(process.env, {
      host: host === "" ? undefined : host,
      port: port === "" ? undefined : port,
    })
    boundLog(daemonLog(homePaths(settings.home)))
    const daemon = await Daemon.start(settings, log, (line) => {
      log("progress", { line })
      say({ progress: line })
    })
    log("started", { url: daemon.url, pid: process.pid })
    stopOnSignals(daemon)
    say({ url: daemon.url, pid: process.pid })
    await daemon.stopped
    process.exit(0)
  } catch (error) {
    const record = toErrorRecord(asBunhouseError(error, "starting the daemon"))
    log("not started", { error: record })
    say({ error: record })
    process.exit(1)
  }
}

/**
 * The first signal stops politely, a second one at once. During the start a signal has the system's meaning: the process
 * ends, and the broker with it; what the start has written is written anew by the next one.
 */
function stopOnSignals(daemon: Daemon): void {
  let signals = 0
  const stop = () => {
    signals++
    if (signals > 1) daemon.hurry()
    void daemon.stop()
  }
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, stop)
}

function say(line: StartLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

process.on("uncaughtException", (error) => log("uncaught exception", { error: Bun.inspect(error) }))
process.on("unhandledRejection", (error) =>
  log("unhandled rejection", { error: Bun.inspect(error) }),
)

// Not awaited: a bundle with bytecode cannot. It never rejects.
void main()
