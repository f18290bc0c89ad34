import type { BrokerStatus, DaemonStatus, EnvState, EnvStatus } from "../../protocol/status.ts"
import type { Style } from "../style.ts"
import { renderEnvDetails } from "./env-details.ts"
import { printableLine } from "./printable.ts"
import { renderTable } from "./table.ts"

/** The daemon, its broker and its envs, for people. `time` is the present, in milliseconds since 1970. */
export function renderStatus(status: DaemonStatus, style: Style, time: number): string {
  const { state, url, pid, version, home, startedAt, rssBytes, broker, envs } = status
  const facts = [
    ["daemon", `${paintState(state, style)(state)} at ${style.bold(url)}`],
    [
      "",
      `version ${version}, process ${pid}, up ${showDuration(time - Date.parse(startedAt))}, ${mebibytes(rssBytes)}`,
    ],
    ["home", home],
    ["broker", brokerText(broker, style)],
    ["calls", `${status.callsInFlight} in flight`],
  ]
  const lines = facts.map(([name = "", text = ""]) => `${style.dim(name.padEnd(6))}  ${text}`)
  if (envs.length === 0) return [...lines, `${style.dim("envs  ")}  none yet`].join("\n")
  const details = envs.flatMap((env) => ["", renderEnvDetails(env, style)])
  return [...lines, "", envTable(envs, style), ...details].join("\n")
}

function brokerText({ kind, connected, server, version, pid }: BrokerStatus, style: Style): string {
  const state = connected ? style.green("connected") : style.red("not connected")
  const process = pid === undefined ? "" : `, process ${pid}`
  return `${state} to ${server} (${kind}, nats-server ${version}${process})`
}

function envTable(envs: readonly EnvStatus[], style: Style): string {
  const column = (read: (env: EnvStatus) => string | number | undefined): string[] => {
    return envs.map((env) => printableLine(String(read(env) ?? "")))
  }
  const paint = (cell: string) => paintState(cell.trim(), style)(cell)
  return renderTable(
    [
      { heading: "ENV", cells: column((env) => env.name) },
      { heading: "STATE", cells: column((env) => env.state), paint },
      { heading: "PID", cells: column((env) => env.pid), align: "right" },
      { heading: "RUNNING", cells: column((env) => env.running), align: "right" },
      { heading: "QUEUED", cells: column((env) => env.queued), align: "right" },
      { heading: "FUNCTIONS", cells: column((env) => env.functions.length), align: "right" },
      { heading: "INSTANCES", cells: column((env) => env.instances), align: "right" },
      { heading: "CRASHES", cells: column((env) => env.crashes), align: "right" },
      { heading: "REASON", cells: column((env) => env.reason) },
    ],
    style.dim,
  )
}

function paintState(state: string, style: Style): (text: string) => string {
  return style[STATE_STYLES.get(state) ?? "dim"]
}

const STATE_STYLES: ReadonlyMap<string, keyof Style> = new Map<
  EnvState | DaemonStatus["state"],
  keyof Style
>([
  ["running", "green"],
  ["ready", "green"],
  ["installing", "yellow"],
  ["starting", "yellow"],
  ["draining", "yellow"],
  ["waiting to restart", "yellow"],
  ["failed", "red"],
  ["stopped", "dim"],
])

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MiB`
}

/** For people, coarse: `3 s`, `5 min`, `2 h 5 min`, `3 d 4 h`. */
function showDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  const days = Math.floor(hours / 24)
  if (minutes === 0) return `${seconds} s`
  if (hours === 0) return `${minutes} min`
  if (days === 0) return `${hours} h ${minutes % 60} min`
  return `${days} d ${hours % 24} h`
}
