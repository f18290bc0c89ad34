import {
  asBunhouseError,
  BunhouseError,
  type ErrorCode,
  fromErrorRecord,
  type Ran,
} from "../../protocol/errors.ts"
import { FrameFlag, FrameReader, FrameType, FrameWriter } from "../../protocol/frame.ts"
import { callIdOf, readHello } from "../../protocol/hello.ts"
import { FRAMES_TYPE, paths } from "../../protocol/http.ts"
import { BODY_BYTES_MAX, DEADLINE_GRACE_MS } from "../../protocol/limits.ts"
import { sourcePath } from "../../protocol/root.ts"
import { type Names, type Outcome, readOutcome } from "../outcome.ts"
import { type Address, noDaemon } from "../settings.ts"
import type { BlockingCall, BlockingCaller, Logged } from "./blocking-caller.ts"

/**
 * Blocking calls by `Bun.spawnSync`: a program makes the one HTTP call, this process waits for it to end.
 *
 * Invariants:
 * B1. No shell, and no secret in an argument or an environment variable: everything goes through stdin.
 * B2. It returns by the deadline plus DEADLINE_GRACE_MS, whatever the program, the daemon or the network do.
 * B3. Nothing of the caller's folder (bunfig, .env, preloads) takes part in the program's start.
 */
export class SpawnCaller implements BlockingCaller {
  readonly #address: () => Address

  constructor(address: () => Address) {
    this.#address = address
  }

  call(call: BlockingCall, logged: Logged): Outcome {
    const { names, timeoutMs } = call
    try {
      const answer = this.#exchange(names, requestBatch(call), timeoutMs)
      return readAnswer(names, answer, logged)
    } catch (error) {
      const thrown = asBunhouseError(error, `the blocking call of ${names.env}/${names.function}`)
      return { kind: "threw", thrown, wasPromise: false }
    }
  }

  close(): void {
    // Nothing is kept between calls.
  }

  #exchange(names: Names, body: Uint8Array, timeoutMs: number): Buffer {
    const { url, token } = this.#address()
    const input = inputOf({ url: `${url}${paths.frames}`, token, type: FRAMES_TYPE }, body)
    const result = run(names, input, timeoutMs)
    if (result.exitedDueToTimeout) {
      throw failure(
        names,
        "DEADLINE_EXCEEDED",
        "maybe",
        "the deadline passed, and the daemon did not answer",
      )
    }
    if (result.exitCode === 0) return result.stdout
    if (result.exitCode === 10) throw refusalIn(url, result.stdout)
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
}

function readAnswer(names: Names, answer: Buffer, logged: Logged): Outcome {
  const frame = new FrameReader()
  try {
    if (frame.open(answer) < 2) throw new Error("it is not a hello and a reply")
    frame.next()
    const { bootId } = readHello(frame.payload)
    while (frame.next() && frame.type === FrameType.log) logged(frame, bootId)
    const { serial } = frame
    return readOutcome(frame, names, () => callIdOf(bootId, serial))
  } catch (error) {
    const { message } = asBunhouseError(error, "reading it")
    const reason = `the daemon's answer cannot be read: ${message}`
    throw failure(names, "PROTOCOL_ERROR", "maybe", reason)
  }
}

function run(names: Names, input: Buffer, timeoutMs: number) {
  try {
    return Bun.spawnSync([process.execPath, ...FLAGS, PROGRAM], {
      cwd: PROGRAM_FOLDER,
      // Lets a compiled program act as `bun`.
      env: { BUN_BE_BUN: "1" },
      stdin: input,
      stdout: "pipe",
      stderr: "pipe",
      maxBuffer: BODY_BYTES_MAX,
      killSignal: "SIGKILL",
      ...(timeoutMs > 0 && { timeout: timeoutMs + DEADLINE_GRACE_MS }),
    })
  } catch (cause) {
    const reason = `the program that makes the call cannot be started (${String(cause)})`
    throw failure(names, "UNAVAILABLE", "no", reason)
  }
}

function requestBatch(call: BlockingCall): Uint8Array {
  const { names, payload, timeoutMs, extra } = call
  const flags = call.wantsLogs ? FrameFlag.logs : 0
  const writer = new FrameWriter()
  writer.write(FrameType.bind, 0, 0, 1, 0, 0, Buffer.from(JSON.stringify(names)))
  writer.write(FrameType.call, flags, 1, 1, timeoutMs, 0, payload, extra)
  return writer.take()
}

function inputOf(head: object, body: Uint8Array): Buffer {
  const headBytes = Buffer.from(JSON.stringify(head))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(headBytes.length)
  return Buffer.concat([length, headBytes, body])
}

function refusalIn(url: string, body: Buffer): BunhouseError {
  try {
    const answer: unknown = JSON.parse(body.toString())
    if (typeof answer === "object" && answer !== null && "error" in answer) {
      return fromErrorRecord(answer.error)
    }
  } catch {
    // Not JSON, so not from a daemon.
  }
  return new BunhouseError("UNAVAILABLE", `whoever listens at ${url} is no bunhouse daemon`)
}

/** Nobody answered. Only where there was no connection it is certain that nothing ran. */
function unreachable(names: Names, url: string, stderr: Buffer): BunhouseError {
  const text = stderr.toString()
  if (NOT_CONNECTED.test(text)) return noDaemon(url, new Error(text))
  return failure(
    names,
    "DAEMON_LOST",
    "maybe",
    `the connection to the daemon was lost during the call (${text.slice(0, 300)})`,
  )
}

function failure(names: Names, code: ErrorCode, ran: Ran, reason: string): BunhouseError {
  return new BunhouseError(code, `${names.env}/${names.function}: ${reason}`, { ran, ...names })
}

const NOT_CONNECTED =
  /^\{"code":"(ConnectionRefused|FailedToOpenSocket|ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)"/
const PROGRAM = sourcePath("client/blocking/program.js")
const PROGRAM_FOLDER = sourcePath("client/blocking/")
const FLAGS = ["--no-install", "--no-env-file"]
