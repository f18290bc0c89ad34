import { homedir } from "node:os"
import { join, resolve } from "node:path"
import { BunhouseError } from "./errors.ts"
import { nameToken } from "./names.ts"

/**
 * The state folder of one daemon: what stands where, and the settings that client and daemon must read alike.
 * Nothing here touches the disk.
 */
export interface HomePaths {
  /** 0700, owned by the user. */
  readonly root: string
  /** 0600: the bearer token. */
  readonly token: string
  /** 0600: names this home among all that share a broker cluster. */
  readonly space: string
  /** Held locked for the daemon's life; says nothing by its existence. */
  readonly lock: string
  /** 0600: address and identity of the running daemon (`DaemonRecord`). */
  readonly daemon: string
  /** Configuration, credentials and JetStream data of the embedded broker. */
  readonly broker: string
  /** Programs fetched by bunhouse. */
  readonly cache: string
  readonly logs: string
  /** One folder per env, named by token. */
  readonly envs: string
  /** Functions as they were written out before they were sent. */
  readonly sent: string
}

export function homePaths(root: string): HomePaths {
  return {
    root,
    token: join(root, "token"),
    space: join(root, "space"),
    lock: join(root, "lock.db"),
    daemon: join(root, "daemon.json"),
    broker: join(root, "broker"),
    cache: join(root, "cache"),
    logs: join(root, "logs"),
    envs: join(root, "envs"),
    sent: join(root, "sent"),
  }
}

/** What a running daemon writes into its home so that others find it. */
export interface DaemonRecord {
  readonly pid: number
  /** Tells this life of the daemon from any other. */
  readonly bootId: string
  readonly url: string
  readonly version: string
  /** Start time of the process as the system counts it: a recycled pid has another. */
  readonly processStart: string
}

export function daemonLog(home: HomePaths): string {
  return join(home.logs, "daemon.log")
}

/** What the functions of an env print, and its process. */
export function envLog(home: HomePaths, env: string): string {
  return join(home.logs, `${nameToken(env)}.log`)
}

export const DEFAULT_HOST = "127.0.0.1"
export const DEFAULT_PORT = 7420

/**
 * Reads where to listen: a name or an address, one of IPv6 with or without brackets, which the result has not. A refusal
 * names `option`. Throws INVALID_ARGUMENT.
 */
export function readHost(option: string, text: string): string {
  const host = text.replace(/^\[(.*)\]$/, "$1")
  const isName = /^[\w.-]+$/.test(host) && URL.canParse(`http://${host}`)
  if (isName || (host.includes(":") && URL.canParse(`http://[${host}]`))) return host
  throw new BunhouseError(
    "INVALID_ARGUMENT",
    `expected ${option} to be a host name or an address such as 127.0.0.1 or ::1, got ${JSON.stringify(text)}`,
  )
}

/** A host name or address as it stands in URLs and in the Host header. */
export function hostInUrl(host: string): string {
  return host.includes(":") ? `[${host}]` : host
}

/** Environment variables, as an object so that only entries read `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The state folder: `BUNHOUSE_HOME`, else `~/.bunhouse`. */
export function homeRoot(environment: Environment): string {
  const given = environment["BUNHOUSE_HOME"]
  return given === undefined || given === "" ? join(homedir(), ".bunhouse") : resolve(given)
}
