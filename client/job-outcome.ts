import { decodePayload } from "../protocol/codec/index.ts"
import { type BunhouseError, fromErrorRecord } from "../protocol/errors.ts"
import { Fields, parseJson } from "../protocol/fields.ts"
import { JOB_HEADER, OUTCOME_HEADER, PAYLOAD_TYPE } from "../protocol/http.ts"
import { readJsonHeader } from "../protocol/job.ts"
import { addRemoteInfo } from "./outcome.ts"

/** The result of a job from the daemon's answer. Throws what the function threw, or the platform's error. */
export async function readJobOutcome(response: Response): Promise<unknown> {
  const kind = response.headers.get(OUTCOME_HEADER)
  if (kind !== "value" && kind !== "thrown") throw await errorIn(response)
  const isPayload = response.headers.get("content-type") === PAYLOAD_TYPE
  if (!isPayload) return jsonOutcome(await response.text())
  const value = decodePayload(await response.bytes())
  if (kind === "value") return value
  const status = readJsonHeader(JOB_HEADER, response.headers.get(JOB_HEADER))
  const fields = new Fields("the status of a job", status)
  const names = { env: fields.text("env"), function: fields.text("function") }
  addRemoteInfo(value, names, fields.optionalText("callId") ?? "")
  throw value
}

/** The job's own failure, or the daemon's: both are records. */
export async function errorIn(response: Response): Promise<BunhouseError> {
  const answer: unknown = await response.json().catch(() => undefined)
  const hasError = typeof answer === "object" && answer !== null && "error" in answer
  return fromErrorRecord(hasError ? answer.error : undefined)
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
