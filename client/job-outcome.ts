import { decodePayload } from "../protocol/codec/index.ts"
import { type BunhouseError, fromErrorRecord } from "../protocol/errors.ts"
import { Fields, parseJson } from "../protocol/fields.ts"
import { BYTES_HEADER, JOB_HEADER, OUTCOME_HEADER, PAYLOAD_TYPE } from "../protocol/http.ts"
import { readJsonHeader } from "../protocol/job.ts"
import { ENV_PAYLOAD_BYTES_MAX } from "../protocol/limits.ts"
import { addRemoteInfo } from "./outcome.ts"
import type { ProgressPatience } from "./progress-patience.ts"

/**
 * The body of the daemon's answer. A long one goes where it belongs as it comes, so that memory is that of the body.
 * Rejects when it breaks off.
 */
export async function readAnswer(
  response: Response,
  patience: ProgressPatience,
): Promise<Uint8Array> {
  const told = Number(response.headers.get(BYTES_HEADER) ?? 0)
  const { body } = response
  if (told === 0 || told > ENV_PAYLOAD_BYTES_MAX || body === null) {
    return await patience.waitFor(response.bytes())
  }
  const reader = body.getReader()
  const whole = Buffer.allocUnsafeSlow(told)
  for (let at = 0; ;) {
    const { done, value } = await patience.waitFor(reader.read())
    if (done && at === told) return whole
    if (done || at + value.length > told) throw new Error(`expected ${told} bytes, got others`)
    whole.set(value, at)
    at += value.length
  }
}

/** The result of a job from the daemon's answer and its body. Throws what the function threw, or the platform's error. */
export function readJobOutcome({ headers }: Response, body: Uint8Array): unknown {
  const kind = headers.get(OUTCOME_HEADER)
  if (kind !== "value" && kind !== "thrown") throw errorOf(textOf(body))
  if (headers.get("content-type") !== PAYLOAD_TYPE) return jsonOutcome(textOf(body))
  const value = decodePayload(body)
  if (kind === "value") return value
  const status = readJsonHeader(JOB_HEADER, headers.get(JOB_HEADER))
  const fields = new Fields("the status of a job", status)
  const names = { env: fields.text("env"), function: fields.text("function") }
  addRemoteInfo(value, names, fields.optionalText("callId") ?? "")
  throw value
}

/** The job's own failure, or the daemon's: both are records. */
export async function errorIn(response: Response): Promise<BunhouseError> {
  return errorOf(await response.text().catch(() => ""))
}

function errorOf(text: string): BunhouseError {
  const answer = textAsJson(text)
  const hasError = typeof answer === "object" && answer !== null && "error" in answer
  return fromErrorRecord(hasError ? answer.error : undefined)
}

function textAsJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

/** Of a job that was started with JSON: what JSON can say of a result or an error. */
function jsonOutcome(text: string): unknown {
  const outcome = new Fields("the outcome of a job", parseJson("the outcome of a job", text))
  if (outcome.flag("ok")) return outcome.unknown("value")
  const error = new Fields("what the function threw", outcome.unknown("error"))
  const message = error.optionalText("message")
  if (message === undefined) throw error.unknown("value")
  const { name, stack } = { name: error.optionalText("name"), stack: error.optionalText("stack") }
  throw Object.assign(new Error(message), {
    ...(name !== undefined && { name }),
    ...(stack !== undefined && { stack }),
  })
}
