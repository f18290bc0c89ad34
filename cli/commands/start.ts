import { type Environment, homePaths, homeRoot } from "../../protocol/home.ts"
import type { Answer, Cli } from "../command.ts"
import { ensureRunning, type Running } from "../daemon/ensure-running.ts"
import type { LaunchOptions } from "../daemon/launch.ts"
import type { Terminal } from "../terminal.ts"

/** Where the daemon is to listen; what is left out is what the environment says. */
export interface Listen {
  readonly host?: string
  readonly port?: string
}

/** `bunhouse start`: a daemon in the background; the one that runs already will do. */
export async function start(cli: Cli, listen: Listen): Promise<Answer> {
  const { environment, terminal } = cli
  const running = await ensureRunning(launchOptions(cli, listen))
  const answer = runningAnswer(running, environment)
  if (!running.wasRunning) return { ...answer, suggestion: NEXT }
  remindOfAddress(terminal, running, listen)
  return answer
}

const NEXT = "next: `bunhouse status`, `bunhouse logs -f`"

export function launchOptions({ environment, terminal }: Cli, listen: Listen): LaunchOptions {
  return {
    home: homePaths(homeRoot(environment)),
    environment,
    host: listen.host ?? "",
    port: listen.port ?? "",
    isAttached: false,
    progress: (line) => terminal.say(`bunhouse: ${line}`),
  }
}

export function runningAnswer({ url, pid, wasRunning }: Running, environment: Environment): Answer {
  return {
    document: { running: true, url, pid, wasRunning, home: homeRoot(environment) },
    text: `the daemon is running${wasRunning ? " already" : ""} at ${url}`,
  }
}

/** Asked for another address, a daemon that runs stays where it is. */
function remindOfAddress(terminal: Terminal, { url }: Running, { host, port }: Listen): void {
  const { hostname, port: ownPort } = new URL(url)
  const isMoved = (host ?? hostname) !== hostname || Number(port ?? ownPort) !== Number(ownPort)
  if (!isMoved) return
  const options = [host && `--host ${host}`, port && `--port ${port}`].filter(Boolean).join(" ")
  terminal.say(`bunhouse: it stays where it is; \`bunhouse restart ${options}\` moves it`)
}
