import { lstatSync, readFileSync } from "node:fs"
import { BunhouseError } from "../protocol/errors.ts"
import { Fields } from "../protocol/fields.ts"
import {
  DEFAULT_PORT,
  type DaemonRecord,
  type Environment,
  type HomePaths,
  homePaths,
  homeRoot,
} from "../protocol/home.ts"
import type { LogLine } from "./logs.ts"
import { tokenInside } from "./context.ts"

/** How to reach one daemon. */
export interface ConnectOptions {
  /** `http://host:port`. Default: `BUNHOUSE_URL`, else the daemon that runs in the state folder. */
  readonly url?: string
  /** Default: `BUNHOUSE_TOKEN`, else the token file in the state folder. */
  readonly token?: string
  /**
   * How blocking calls wait: `spawn` starts a program for each (needs nothing, costs milliseconds), `resident` keeps a
   * thread for them (costs microseconds). Default `spawn`.
   */
  readonly blocking?: "spawn" | "resident"
  /** Is told each line that functions print, for calls without an `onLog` of their own. */
  readonly onLog?: (line: LogLine) => void
}

export interface Address {
  /** Without a slash at the end. */
  readonly url: string
  /** Empty where there is none, which lets nobody in. */
  readonly token: string
  /** Where there is no token: the file that it was looked for in. */
  readonly tokenFile?: string
}

/**
 * Finds the daemon anew each time it is asked, because a restart may move it: option, then environment variable, then
 * what the running daemon wrote into the state folder. There is no default address: who listens there while no daemon
 * runs is a stranger, and must not be told the token.
 *
 * Whether there is a daemon that wants a token is known once it was asked: then `noToken` says that there is none.
 *
 * @throws {BunhouseError} INVALID_ARGUMENT for a URL that is none, NO_DAEMON where nothing says where a daemon is,
 *   PERMISSION_DENIED for a token file that others may read.
 */
export function resolveAddress(options: ConnectOptions, environment: Environment): Address {
  const home = homePaths(homeRoot(environment))
  const url = options.url ?? text(environment, "BUNHOUSE_URL") ?? runningUrl(home)
  const given = options.token ?? text(environment, "BUNHOUSE_TOKEN")
  // Inside of an env the daemon's own token is for the daemon's own address.
  const inside = options.url === undefined ? tokenInside() : undefined
  const token = given ?? inside ?? tokenIn(home.token)
  const address = { url: checkUrl(url), token: token ?? "" }
  return token === undefined ? { ...address, tokenFile: home.token } : address
}

/** What the running daemon of a home says about itself; undefined when none has. */
export function readDaemonRecord(path: string): DaemonRecord | undefined {
  try {
    const fields = new Fields("the record of the daemon", JSON.parse(readFileSync(path, "utf8")))
    return {
      pid: fields.integer("pid", 1, 0x7fff_ffff),
      bootId: fields.text("bootId"),
      url: fields.text("url"),
      version: fields.text("version"),
      processStart: fields.text("processStart"),
    }
  } catch {
    return undefined
  }
}

/** The error for a daemon that does not answer. */
export function noDaemon(url: string, cause?: unknown): BunhouseError {
  return new BunhouseError(
    "NO_DAEMON",
    `no daemon is running at ${url}; start one with \`bunhouse start\``,
    { ran: "no", cause },
  )
}

/** What a daemon answered to a call, which knows nothing of a token that was not found. */
export function withReason(refusal: BunhouseError, address: Address): BunhouseError {
  return refusal.code === "UNAUTHENTICATED" ? (noToken(address) ?? refusal) : refusal
}

/** The error for a daemon that wants a token; undefined where there is one, which it does not accept. */
export function noToken({ url, tokenFile }: Address): BunhouseError | undefined {
  if (tokenFile === undefined) return undefined
  const message = `the daemon at ${url} wants a token, and there is none: set BUNHOUSE_TOKEN to the one that it was started with (there is no file ${tokenFile})`
  return new BunhouseError("UNAUTHENTICATED", message, { ran: "no" })
}

/** A daemon that was killed leaves its record behind. */
function runningUrl(home: HomePaths): string {
  const record = readDaemonRecord(home.daemon)
  if (record !== undefined && isAlive(record.pid)) return record.url
  throw new BunhouseError(
    "NO_DAEMON",
    `no daemon is running in ${home.root}; start one with \`bunhouse start\``,
    { ran: "no" },
  )
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

function tokenIn(path: string): string | undefined {
  let mode: number
  try {
    mode = lstatSync(path).mode
  } catch {
    return undefined
  }
  if (mode & 0o077) {
    throw new BunhouseError(
      "PERMISSION_DENIED",
      `others may read the token: run \`chmod 600 ${path}\``,
    )
  }
  return readFileSync(path, "utf8").trim()
}

function checkUrl(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed?.protocol === "http:" || parsed?.protocol === "https:") return url.replace(/\/+$/, "")
  throw new BunhouseError(
    "INVALID_ARGUMENT",
    `expected the URL of a daemon, such as http://127.0.0.1:${DEFAULT_PORT}, got ${JSON.stringify(url)}`,
  )
}

function text(environment: Environment, name: string): string | undefined {
  const value = environment[name]
  return value === "" ? undefined : value
}
