import { BunhouseError, type ErrorCode, fromErrorRecord, type Ran } from "../../protocol/errors.ts"
import { Fields } from "../../protocol/fields.ts"
import type { Environment } from "../../protocol/home.ts"
import { FRAMES_TYPE } from "../../protocol/http.ts"
import { BODY_BYTES_MAX, ENV_PAYLOAD_BYTES_MAX, DEADLINE_GRACE_MS } from "../../protocol/limits.ts"
import { sourcePath } from "../../protocol/root.ts"
import type { Names } from "../outcome.ts"
import { type Address, noDaemon, withReason } from "../settings.ts"
import { isUntrusted, untrusted } from "../untrusted.ts"
import { trustOf } from "./trust.ts"

/**
 * One request by a program of its own, which this process waits for.
 *
 * Invariants:
 * B1. No shell, and no secret in an argument or an environment variable: everything goes through stdin.
 * B2. It returns by the deadline plus DEADLINE_GRACE_MS, whatever the program, the daemon or the network do.
 * B3. Nothing of the caller's folder (bunfig, .env, preloads) takes part in the program's start.
 * B4. It trusts whom the caller trusts (trust.ts), and asks no proxy.
 *
 * @param path of the daemon, which takes a batch of frames there and answers with one.
 * @param timeoutMs 0 for no deadline.
 * @throws {BunhouseError} what the daemon answered instead, or why nobody did.
 */
export function exchange(
  caller: Caller,
  path: string,
  names: Names,
  body: Uint8Array,
  timeoutMs: number,
): Buffer {
  const { url, token, environment } = caller
  const input = inputOf({ url: `${url}${path}`, token, type: FRAMES_TYPE }, body)
  const result = run(names, input, timeoutMs, environment)
  if (result.exitedDueToTimeout) {
    throw failure(
      names,
      "DEADLINE_EXCEEDED",
      "maybe",
      "the deadline passed, and the daemon did not answer",
    )
  }
  if (result.exitCode === 0) return result.stdout
  if (result.exitCode === 10) throw refusalIn(caller, result.stdout)
  if (result.exitCode === 11) throw unreachable(names, url, result.stderr)
  const end = result.signalCode ?? `exit code ${result.exitCode}`
  const detail = result.stderr.toString().slice(0, 500)
  throw failure(
    names,
    "DAEMON_LOST",
    "maybe",
    `the program that makes the call ended (${String(end)}) ${detail}`,
  )
}

/** Who makes the request, and from where. */
export interface Caller extends Address {
  readonly environment: Environment
}

function run(names: Names, input: Buffer, timeoutMs: number, environment: Environment) {
  try {
    return Bun.spawnSync([process.execPath, ...FLAGS, PROGRAM], {
      cwd: PROGRAM_FOLDER,
      env: { ...trustOf(environment), ...BUN },
      stdin: input,
      stdout: "pipe",
      stderr: "pipe",
      maxBuffer: ENV_PAYLOAD_BYTES_MAX + BODY_BYTES_MAX,
      killSignal: "SIGKILL",
      ...(timeoutMs > 0 && { timeout: timeoutMs + DEADLINE_GRACE_MS }),
    })
  } catch (cause) {
    const reason = `the program that makes the call cannot be started (${String(cause)})`
    throw failure(names, "UNAVAILABLE", "no", reason)
  }
}

function inputOf(head: object, body: Uint8Array): Buffer {
  const headBytes = Buffer.from(JSON.stringify(head))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(headBytes.length)
  return Buffer.concat([length, headBytes, body])
}

function refusalIn(caller: Caller, body: Buffer): BunhouseError {
  try {
    const answer: unknown = JSON.parse(body.toString())
    if (typeof answer === "object" && answer !== null && "error" in answer) {
      return withReason(fromErrorRecord(answer.error), caller)
    }
  } catch {
    // Not JSON, so not from a daemon.
  }
  return new BunhouseError("UNAVAILABLE", `whoever listens at ${caller.url} is no bunhouse daemon`)
}

/** Nobody answered. Only where there was no connection, or none to rely on, it is certain that nothing ran. */
function unreachable(names: Names, url: string, stderr: Buffer): BunhouseError {
  const cause = causeIn(stderr.toString())
  if (isUntrusted(cause)) return untrusted(url, cause)
  if (NOT_CONNECTED.has(cause.code)) return noDaemon(url, cause)
  return failure(
    names,
    "DAEMON_LOST",
    "maybe",
    `the connection to the daemon was lost during the call (${cause.message.slice(0, 300)})`,
  )
}

/** What the program has written of it, in the last line: Bun may have had its say about certificates before. */
function causeIn(text: string): Error & { readonly code: string } {
  const said = text.trimEnd().split("\n").at(-1) ?? ""
  try {
    const fields = new Fields("why nobody answered", JSON.parse(said))
    return Object.assign(new Error(fields.text("message")), { code: fields.text("code") })
  } catch {
    return Object.assign(new Error(text), { code: "" })
  }
}

export function failure(names: Names, code: ErrorCode, ran: Ran, reason: string): BunhouseError {
  return new BunhouseError(code, `${names.env}/${names.function}: ${reason}`, { ran, ...names })
}

const NOT_CONNECTED: ReadonlySet<string> = new Set([
  "ConnectionRefused",
  "FailedToOpenSocket",
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
])
const PROGRAM = sourcePath("client/blocking/program.js")
const PROGRAM_FOLDER = sourcePath("client/blocking/")
const FLAGS = ["--no-install", "--no-env-file"]
const BUN = {
  /** Lets a compiled program act as `bun`. */
  BUN_BE_BUN: "1",
  /** Getting ready to compile takes a fifteenth of the call, and no line of the program runs often. */
  BUN_JSC_useJIT: "0",
}
