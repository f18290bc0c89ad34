import { closeSync, constants, fstatSync, openSync } from "node:fs"
import { resolve } from "node:path"
import {
  asBunhouseError,
  BunhouseError,
  fromErrorRecord,
  toErrorRecord,
} from "../../protocol/errors.ts"
import { Fields } from "../../protocol/fields.ts"
import { daemonLog, type Environment, type HomePaths } from "../../protocol/home.ts"
import { PACKAGE_FETCH_MS_MAX } from "../../protocol/limits.ts"
import {
  bundleInBackground,
  ALLOCATOR,
  daemonProgram,
  homeTaken,
  prepareHome,
  type StartLine,
} from "../../server/entry.ts"
import { EXIT_INTERRUPTED } from "../exit-codes.ts"
import { lastLines } from "../logs/log-file.ts"
import { renderLogLine } from "../render/log-line.ts"
import { makeStyle } from "../style.ts"

/**
 * One daemon process, from its start until it is ready or has given up.
 *
 * Invariants:
 * L1. Whoever is told that the start failed can be sure that nothing of it is left running.
 * L2. It shares neither session nor terminal nor folder with its starter: nothing that happens there ends it. (A
 *     daemon in the foreground dies with its starter.)
 */
export interface LaunchOptions {
  readonly home: HomePaths
  readonly environment: Environment
  /** Where it listens; "" for what the environment says. */
  readonly host: string
  readonly port: string
  /** Ends with this process, and keeps this process from ending. */
  readonly isAttached: boolean
  /** Lines for a person who waits. */
  readonly progress: (line: string) => void
}

export type Launch =
  | { readonly kind: "ready"; readonly url: string; readonly child: Bun.Subprocess }
  /** Another daemon holds the home. */
  | { readonly kind: "taken" }

/** @throws {BunhouseError} why the daemon did not start. */
export async function launch(options: LaunchOptions): Promise<Launch> {
  const { home } = options
  const log = openLog(home)
  const logStart = fstatSync(log).size
  const child = spawn(options, log)
  using _ = endOnInterrupt(child)
  const end = await lastStartLine(child, options.progress)
  if (end !== undefined && "url" in end) {
    if (!options.isAttached) child.unref()
    bundleInBackground(home.cache, options.environment)
    return { kind: "ready", url: end.url, child }
  }
  child.kill("SIGKILL") // L1: its last word does not mean that it has ended.
  await child.exited
  if (end === undefined) throw diedAtStart(child, home, logStart)
  const error = fromErrorRecord(end.error)
  if (error.message === homeTaken(home.root)) return { kind: "taken" }
  throw error
}

/** Makes the state folder if need be. Opens the daemon's log to append to it. */
function openLog(home: HomePaths): number {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants
  try {
    prepareHome(home.root)
    return openSync(daemonLog(home), O_APPEND | O_CREAT | O_NOFOLLOW | O_WRONLY, 0o600)
  } catch (cause) {
    if (cause instanceof BunhouseError) throw cause
    const { message } = asBunhouseError(cause, `preparing the state folder ${home.root}`)
    throw new BunhouseError("PERMISSION_DENIED", message, { cause })
  }
}

function spawn(options: LaunchOptions, log: number): Bun.Subprocess<"ignore", "pipe", number> {
  const { home, environment, host, port, isAttached } = options
  const flags = ["--no-install", "--no-env-file", ...(isAttached ? ["--no-orphans"] : [])]
  try {
    const program = daemonProgram(home.cache, environment)
    return Bun.spawn([process.execPath, ...flags, program, host, port], {
      cwd: home.root,
      env: { ...ALLOCATOR, ...environment, ...absolutePaths(environment) },
      stdin: "ignore",
      stdout: "pipe",
      stderr: log,
      detached: true,
    })
  } finally {
    closeSync(log)
  }
}

/** Variables that name a file as seen from here; the daemon works elsewhere (L2). */
function absolutePaths(environment: Environment): Environment {
  const paths: Record<string, string> = {}
  for (const name of PATH_VARIABLES) {
    const path = environment[name] ?? ""
    if (path !== "") paths[name] = resolve(path)
  }
  return paths
}

const PATH_VARIABLES = ["BUNHOUSE_HOME", "BUNHOUSE_NATS_SERVER", "BUNHOUSE_NATS_CREDS"]

/** Undefined when the process ended, or was silent for too long, without a last word. */
async function lastStartLine(
  child: Bun.Subprocess<"ignore", "pipe", number>,
  progress: (line: string) => void,
): Promise<Exclude<StartLine, { progress: string }> | undefined> {
  const silence = setTimeout(() => child.kill("SIGKILL"), SILENCE_MS_MAX)
  try {
    let text = ""
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      silence.refresh()
      const lines = (text + chunk).split("\n")
      text = lines.pop() ?? ""
      for (const line of lines) {
        const said = readStartLine(line)
        if (said !== undefined && !("progress" in said)) return said
        if (said !== undefined) progress(said.progress)
      }
    }
    return undefined
  } finally {
    clearTimeout(silence)
  }
}

/** Undefined for a line that is none of ours. */
function readStartLine(line: string): StartLine | undefined {
  try {
    const fields = new Fields("a line of the start", JSON.parse(line))
    const progress = fields.optionalText("progress")
    if (progress !== undefined) return { progress }
    const url = fields.optionalText("url")
    if (url !== undefined) return { url, pid: fields.integer("pid", 1, 0x7fff_ffff) }
    return { error: toErrorRecord(fromErrorRecord(fields.unknown("error"))) }
  } catch {
    return undefined
  }
}

/** The longest step that says nothing in between is a run of the package manager. */
const SILENCE_MS_MAX = PACKAGE_FETCH_MS_MAX + 30_000

/** An interrupted start takes its daemon along (L1): it has not said a word to anybody yet. */
function endOnInterrupt(child: Bun.Subprocess): Disposable {
  const end = (): void => {
    child.kill("SIGKILL")
    process.exit(EXIT_INTERRUPTED)
  }
  process.once("SIGINT", end).once("SIGTERM", end)
  return { [Symbol.dispose]: () => void process.off("SIGINT", end).off("SIGTERM", end) }
}

function diedAtStart(child: Bun.Subprocess, home: HomePaths, logStart: number): BunhouseError {
  const how = child.signalCode ?? `exit code ${child.exitCode}`
  const lines = lastLines(daemonLog(home), TAIL_LINES, logStart)
  const tail = lines.map((line) => `\n  ${renderLogLine(line, makeStyle(false))}`).join("")
  const said = tail === "" ? "it left no word in its log" : `the end of its log:${tail}`
  return new BunhouseError("UNAVAILABLE", `the daemon ended while it started (${how}); ${said}`)
}

const TAIL_LINES = 10
