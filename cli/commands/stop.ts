import { homePaths, homeRoot } from "../../protocol/home.ts"
import type { Answer, Cli } from "../command.ts"
import { type End, endDaemon } from "../daemon/end.ts"
import { findDaemon, type Found, removeLeftover } from "../daemon/find.ts"

export interface Stopped {
  /** Undefined when none was running. */
  readonly end: End | undefined
  readonly pid: number | undefined
}

/** `bunhouse stop`: resolves when the daemon's process is gone. */
export async function stop(cli: Cli, timeoutMs: number): Promise<Answer> {
  const home = homeRoot(cli.environment)
  const { end, pid } = await stopDaemon(cli, findDaemon(homePaths(home)), timeoutMs)
  const document = { running: false, stopped: end !== undefined, home, ...(pid && { pid, end }) }
  if (end === undefined) return { document, text: `no daemon is running in ${home}` }
  return { document, text: `${END_TEXTS[end]} the daemon (process ${pid})` }
}

/** Ends the daemon that was found, if there is one, and clears away the record of one that is gone. */
export async function stopDaemon(
  { environment, terminal }: Cli,
  found: Found,
  timeoutMs: number,
): Promise<Stopped> {
  const home = homePaths(homeRoot(environment))
  const progress = (line: string) => terminal.say(`bunhouse: ${line}`)
  if (found.kind === "none") {
    if (found.leftover !== undefined) progress(LEFTOVER_TEXTS[found.leftover])
    removeLeftover(home)
    return { end: undefined, pid: undefined }
  }
  const isListed = found.kind === "listed"
  const daemon = isListed ? found.record : found.process
  const url = isListed ? found.record.url : undefined
  const end = await endDaemon({ daemon, url, environment, timeoutMs, progress })
  removeLeftover(home)
  return { end, pid: daemon.pid }
}

const END_TEXTS: Readonly<Record<End, string>> = {
  asked: "stopped",
  signalled: "ended",
  killed: "killed",
}

const LEFTOVER_TEXTS = {
  gone: "the last daemon ended without a word; its record is removed",
  unreadable: "daemon.json cannot be read; it is removed",
} as const
