import { isAbsolute, normalize } from "node:path"
import { readBunArgs } from "./bun-flags.ts"
import { readPackages } from "./env-packages.ts"
import { type EnvVar, hideSecrets, readVars, type ShownVar } from "./env-vars.ts"
import { BunhouseError } from "./errors.ts"
import { Fields } from "./fields.ts"
import { type FilesInfo, readFilesInfo } from "./files.ts"
import {
  CALL_TIMEOUT_MS_DEFAULT,
  CALL_TIMEOUT_MS_MAX,
  ENV_CONCURRENCY_DEFAULT,
  ENV_MEMORY_MIB_MAX,
  ENV_MEMORY_MIB_MIN,
  ENV_PAYLOAD_MIB_DEFAULT,
  ENV_PAYLOAD_MIB_MAX,
  ENV_QUEUE_DEFAULT,
  ENV_THREADS_MAX_DEFAULT,
  LOOP_BLOCK_MS_DEFAULT,
  LOOP_BLOCK_MS_MAX,
} from "./limits.ts"

/** What a user says about an env. Every field is optional; an env that nobody described has the defaults. */
export interface EnvSpecInput {
  /** Async calls that run at the same time, 1 to 1,000,000. Default 16,384. */
  readonly concurrency?: number
  readonly threads?: {
    /** Threads for sync functions, 1 to 1,024. Default 64. */
    readonly max?: number
  }
  /** Calls that may wait for a place, 0 to 1,000,000; further ones are refused. Default 65,536. */
  readonly queue?: number
  /**
   * Packages of the registry, as `{ sharp: "0.34.5" }` or `["sharp@0.34.5", "lodash"]`; without a version, the latest
   * one at the time of installation. Ranges, tags and `npm:` aliases are versions; paths, URLs and git are not.
   */
  readonly packages?: Readonly<Record<string, string>> | readonly string[]
  /** Environment variables of the process. `{ secret: "…" }` is shown in no status, log or error. */
  readonly vars?: Readonly<Record<string, EnvVar>>
  /** Working directory, absolute, on the daemon's machine. Default: the shipped `files`, else the env's own folder. */
  readonly cwd?: string
  /** A folder to ship, relative to this process's working directory. What its .gitignore files name stays behind. */
  readonly files?: string
  /**
   * Largest arguments, largest result and largest item of a stream, of one call or job, encoded, in MiB: 7 to 1,024.
   * Default 64. What a generator returns in the end has 7.
   */
  readonly payloadMiB?: number
  /** Resident memory of the process, in MiB; past it the process is ended. Default: no limit. */
  readonly memoryMiB?: number
  /** Further flags for Bun, such as `--smol`. */
  readonly bunArgs?: readonly string[]
  /**
   * Run once in the working directory after packages and files are there: a list is a program with its arguments, a
   * string is a line for `/bin/sh`.
   */
  readonly setup?: string | readonly string[]
  /**
   * Deadline of calls that name none, in ms; 0 for none. Remotes know it from when they were sent or looked up. Default
   * 300,000.
   */
  readonly timeoutMs?: number
  /**
   * An async function that blocks the event loop for longer, in ms, is named: to its caller's `onLog`, in the status and
   * in the daemon's log. 0 turns that off, and saves its thread (some 3 MB). Default 100.
   */
  readonly loopBlockMs?: number
}

/** A spec with nothing left open; what is not there was not asked for. */
export interface EnvSpec {
  readonly concurrency: number
  readonly threads: { readonly max: number }
  readonly queue: number
  readonly packages: Readonly<Record<string, string>>
  readonly vars: Readonly<Record<string, EnvVar>>
  readonly cwd?: string
  readonly files?: FilesInfo
  readonly payloadMiB: number
  readonly memoryMiB?: number
  readonly bunArgs: readonly string[]
  readonly setup: readonly string[]
  readonly timeoutMs: number
  readonly loopBlockMs: number
}

/** A spec as others may see it: without its secrets. */
export interface ShownEnvSpec extends Omit<EnvSpec, "vars"> {
  readonly vars: Readonly<Record<string, ShownVar>>
}

/**
 * Reads a spec from a user or from the wire. Throws INVALID_ARGUMENT with the field. `files` is here what the wire
 * knows: the client replaces a folder by what it packed.
 */
export function readEnvSpec(env: string, input: unknown): EnvSpec {
  const what = `the spec of env ${JSON.stringify(env)}`
  const fields = new Fields(what, input)
  const cwd = fields.optionalText("cwd")
  const files = fields.optional("files", readFilesInfo)
  const memoryMiB = fields.integer("memoryMiB", ENV_MEMORY_MIB_MIN, ENV_MEMORY_MIB_MAX, NO_LIMIT)
  const spec: EnvSpec = {
    concurrency: fields.integer("concurrency", 1, 1_000_000, ENV_CONCURRENCY_DEFAULT),
    threads: fields.optional("threads", readThreads) ?? { max: ENV_THREADS_MAX_DEFAULT },
    queue: fields.integer("queue", 0, 1_000_000, ENV_QUEUE_DEFAULT),
    packages: readPackages(what, fields.unknown("packages")),
    vars: readVars(what, fields.unknown("vars")),
    ...(cwd !== undefined && { cwd: checkCwd(what, cwd) }),
    ...(files !== undefined && { files }),
    payloadMiB: fields.integer(
      "payloadMiB",
      PAYLOAD_MIB_MIN,
      ENV_PAYLOAD_MIB_MAX,
      ENV_PAYLOAD_MIB_DEFAULT,
    ),
    ...(memoryMiB !== NO_LIMIT && { memoryMiB }),
    bunArgs: readBunArgs(what, fields.unknown("bunArgs")),
    setup: readSetup(what, fields.unknown("setup")),
    timeoutMs: fields.integer("timeoutMs", 0, CALL_TIMEOUT_MS_MAX, CALL_TIMEOUT_MS_DEFAULT),
    loopBlockMs: fields.integer("loopBlockMs", 0, LOOP_BLOCK_MS_MAX, LOOP_BLOCK_MS_DEFAULT),
  }
  fields.done()
  if (cwd === undefined || files === undefined) return spec
  throw refusal(what, "has both cwd and files: the shipped folder is the working directory")
}

export function sameEnvSpec(a: EnvSpec, b: EnvSpec): boolean {
  return Bun.deepEquals(a, b)
}

/** Whether one process can serve both: what differs is watched or counted by the daemon. */
export function sameProcess(a: EnvSpec, b: EnvSpec): boolean {
  return Bun.deepEquals(processPart(a), processPart(b))
}

/** Of arguments, and of a result, of one call. */
export function payloadBytesMaxOf({ payloadMiB }: Pick<EnvSpec, "payloadMiB">): number {
  return payloadMiB * 1024 * 1024
}

export function shownEnvSpec(spec: EnvSpec): ShownEnvSpec {
  return { ...spec, vars: hideSecrets(spec.vars) }
}

function processPart(spec: EnvSpec): unknown {
  const { packages, vars, cwd, files, bunArgs, setup, loopBlockMs, payloadMiB } = spec
  return {
    packages,
    vars,
    cwd,
    files: files?.version,
    bunArgs,
    setup,
    loopBlockMs,
    payloadMiB,
  }
}

/** What fits one frame fits everywhere. */
const PAYLOAD_MIB_MIN = 7
const NO_LIMIT = 0

function readThreads(fields: Fields): EnvSpec["threads"] {
  const threads = { max: fields.integer("max", 1, 1_024, ENV_THREADS_MAX_DEFAULT) }
  fields.done()
  return threads
}

function checkCwd(what: string, cwd: string): string {
  if (isAbsolute(cwd) && !cwd.includes("\0")) return normalize(cwd)
  throw refusal(what, `: expected cwd to be an absolute path, got ${JSON.stringify(cwd)}`)
}

function readSetup(what: string, input: unknown): readonly string[] {
  if (input === undefined) return []
  const words: readonly unknown[] | undefined =
    typeof input === "string" ? ["/bin/sh", "-c", input] : Array.isArray(input) ? input : undefined
  const isCommand = words?.every((word) => typeof word === "string" && !word.includes("\0"))
  if (words !== undefined && isCommand === true && words[0] !== "" && words.at(-1) !== "") {
    return words.map(String)
  }
  const expected = "a line for the shell or a program and its arguments (strings)"
  throw refusal(what, `: expected setup to be ${expected}, got ${Bun.inspect(input, { depth: 1 })}`)
}

function refusal(what: string, reason: string): BunhouseError {
  const space = reason.startsWith(":") ? "" : " "
  return new BunhouseError("INVALID_ARGUMENT", `${what}${space}${reason}`)
}
