import { asBunhouseError, toErrorRecord } from "../protocol/errors.ts"
import { Daemon } from "./daemon.ts"
import type { StartLine } from "./entry.ts"
import { log } from "./log.ts"
import { readSettings } from "./settings.ts"

/**
 * Entry of the daemon process: `bun server/main.ts [host] [port]`. On stdout it says how the start goes, in JSON lines
 * (`StartLine` of entry.ts) for whoever started it. Everything else is in the log, on stderr.
 */
async function main(): Promise<void> {
  const [, , host, port] = process.argv
  const stop = stopOnSignals()
  try {
    const settings = readSettings(process.env, {
      host: host === "" ? undefined : host,
      port: port === "" ? undefined : port,
    })
    const daemon = await Daemon.start(settings, log, (line) => {
      log("progress", { line })
      say({ progress: line })
    })
    log("started", { url: daemon.url, pid: process.pid })
    stop.of(daemon)
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

/** The first signal stops politely, also one that comes during the start; a second one at once. */
function stopOnSignals(): { of(daemon: Daemon): void } {
  let signals = 0
  let started: Daemon | undefined
  const act = () => {
    if (started === undefined && signals > 1) process.exit(1)
    if (signals > 1) started?.hurry()
    if (signals > 0) void started?.stop()
  }
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => {
      signals++
      act()
    })
  }
  return {
    of(daemon) {
      started = daemon
      act()
    },
  }
}

function say(line: StartLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

process.on("uncaughtException", (error) => log("uncaught exception", { error: Bun.inspect(error) }))
process.on("unhandledRejection", (error) =>
  log("unhandled rejection", { error: Bun.inspect(error) }),
)

await main()
