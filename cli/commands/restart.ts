import { homeRoot } from "../../protocol/home.ts"
import type { Answer, Cli } from "../command.ts"
import { ensureRunning } from "../daemon/ensure-running.ts"
import { launchOptions, type Listen } from "./start.ts"
import { stopDaemon } from "./stop.ts"

/**
 * `bunhouse restart`: stops the daemon, if there is one, and starts one; resolves when calls are accepted. The new one
 * listens where the old one did, unless the user says otherwise, so that whoever knows its address finds it again.
 */
export async function restart(cli: Cli, timeoutMs: number, listen: Listen): Promise<Answer> {
  const { url, end } = await stopDaemon(cli, timeoutMs)
  const { environment } = cli
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
