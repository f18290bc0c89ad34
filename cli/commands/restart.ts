import { now } from "../../protocol/deadlines.ts"
import { homePaths, homeRoot } from "../../protocol/home.ts"
import type { Answer, Cli } from "../command.ts"
import { ensureRunning } from "../daemon/ensure-running.ts"
import { findDaemon, type Found } from "../daemon/find.ts"
import { launchOptions, type Listen } from "./start.ts"
import { stopDaemon } from "./stop.ts"

/**
 * `bunhouse restart`: stops the daemon, if there is one, and starts one; resolves when calls are accepted. The new one
 * listens where the old one did, unless the user says otherwise, so that whoever knows its address finds it again.
 */
export async function restart(cli: Cli, timeoutMs: number, listen: Listen): Promise<Answer> {
  const { environment } = cli
  const { url, end } = await stopDaemon(cli, await findStarted(cli, timeoutMs), timeoutMs)
  const running = await ensureRunning(launchOptions(cli, { ...keptAddress(cli, url), ...listen }))
  const { url: newUrl, pid } = running
  const document = {
    running: true,
    url: newUrl,
    pid,
    wasRunning: end !== undefined,
    home: homeRoot(environment),
  }
  return { document, text: `the daemon is running at ${newUrl}` }
}

/**
 * A daemon that is being started is let get ready first: the command that starts it would fail, and where it listens is
 * not known before.
 */
async function findStarted({ environment, terminal }: Cli, timeoutMs: number): Promise<Found> {
  const home = homePaths(homeRoot(environment))
  const startedAt = now()
  let isQuiet = true
  for (;;) {
    const found = findDaemon(home)
    const waitedMs = now() - startedAt
    if (found.kind !== "unlisted" || waitedMs >= timeoutMs) return found
    if (isQuiet && waitedMs > QUIET_MS) {
      isQuiet = false
      terminal.say(`bunhouse: waiting for process ${found.process.pid}, which starts or stops`)
    }
    await Bun.sleep(LOOK_MS)
  }
}

const LOOK_MS = 10
/** Shorter waits are not worth a word. */
const QUIET_MS = 1_000

function keptAddress({ environment }: Cli, url: string | undefined): Listen {
  if (url === undefined) return {}
  const { hostname, port } = new URL(url)
  return {
    ...(!isSet(environment["BUNHOUSE_HOST"]) && { host: hostname.replace(/^\[|\]$/g, "") }),
    ...(!isSet(environment["BUNHOUSE_PORT"]) && { port }),
  }
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== ""
}
