import { now } from "../../protocol/deadlines.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import { type Environment, homePaths, homeRoot, readHost } from "../../protocol/home.ts"
import type { Answer, Cli } from "../command.ts"
import { ensureRunning } from "../daemon/ensure-running.ts"
import { findDaemon, type Found } from "../daemon/find.ts"
import { parsePort } from "../option-values.ts"
import { launchOptions, type Listen } from "./start.ts"
import { stopDaemon } from "./stop.ts"

/**
 * `bunhouse restart`: stops the daemon, if there is one, and starts one; resolves when calls are accepted. The new one
 * listens where the old one did, unless the user says otherwise, so that whoever knows its address finds it again. An
 * address that cannot be is refused while the old one runs.
 */
export async function restart(cli: Cli, timeoutMs: number, listen: Listen): Promise<Answer> {
  const { environment } = cli
  const found = await findStarted(cli, timeoutMs)
  const options = launchOptions(cli, nextAddress(environment, found, listen))
  checkHost(options.host)
  const { end } = await stopDaemon(cli, found, timeoutMs)
  const running = await ensureRunning(options)
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

/** As the user says, else as the environment says, else where the old one listens. */
function nextAddress(environment: Environment, found: Found, asked: Listen): Listen {
  const host = asked.host ?? valueOf(environment, "BUNHOUSE_HOST", readHost)
  const port = asked.port ?? valueOf(environment, "BUNHOUSE_PORT", parsePort)
  const isWhole = host !== undefined && port !== undefined
  const kept = isWhole || found.kind !== "listed" ? {} : addressIn(found.record.url)
  return { ...kept, ...(host !== undefined && { host }), ...(port !== undefined && { port }) }
}

function valueOf(
  environment: Environment,
  name: string,
  parse: (name: string, text: string) => string,
): string | undefined {
  const value = environment[name] ?? ""
  return value === "" ? undefined : parse(name, value)
}

function addressIn(url: string): Listen {
  if (URL.canParse(url)) {
    const { hostname, port } = new URL(url)
    return { host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? HTTP_PORT : port }
  }
  throw new BunhouseError(
    "INVALID_ARGUMENT",
    `the daemon says that it listens at ${JSON.stringify(url)}, which is no URL: tell where the next one is to listen by --host and --port`,
  )
}

/** URLs leave it out. */
const HTTP_PORT = "80"

/** Listens there for a moment: what is no address of this machine is found out here. "" is the default. */
function checkHost(host: string): void {
  if (host === "") return
  try {
    Bun.listen({ hostname: host, port: 0, socket: { data: () => undefined } }).stop(true)
  } catch (cause) {
    const message = `cannot listen on ${host}: it is no address of this machine`
    throw new BunhouseError("UNAVAILABLE", message, { cause })
  }
}
