import { noDaemon } from "../../client/settings.ts"
import { checkTimeoutMs } from "../../protocol/deadlines.ts"
import {
  asBunhouseError,
  BunhouseError,
  fromErrorRecord,
  type Ran,
  toErrorRecord,
} from "../../protocol/errors.ts"
import { Fields } from "../../protocol/fields.ts"
import type { Environment } from "../../protocol/home.ts"
import { JSON_TYPE, paths, PROTOCOL_HEADER, TIMEOUT_HEADER } from "../../protocol/http.ts"
import { DEADLINE_GRACE_MS } from "../../protocol/limits.ts"
import { splitAddress } from "../../protocol/names.ts"
import { PROTOCOL_VERSION } from "../../protocol/version.ts"
import { argsFromWords } from "../call-words.ts"
import { type Answer, type Cli, failureText } from "../command.ts"
import { daemonAddress } from "../daemon/find.ts"
import { EXIT_THROWN, exitOf } from "../exit-codes.ts"
import { renderThrown } from "../render/thrown.ts"

/**
 * `bunhouse call env/function …`: one call by plain HTTP with JSON, which needs nothing of the client library and so
 * starts faster. Interrupting the program closes the connection, which cancels the call.
 */
export async function call(
  { environment, terminal }: Cli,
  target: string,
  words: readonly string[],
  timeout: number | undefined,
): Promise<Answer> {
  try {
    const names = splitAddress(target)
    const outcome = await request(environment, names, words, checkTimeoutMs(timeout))
    if (outcome.flag("ok")) return returned(outcome.unknown("value"), terminal.isInteractive)
    const error = outcome.unknown("error")
    terminal.say(renderThrown(error, `${names.env}/${names.function}`, terminal.messageStyle))
    return { document: { error }, text: "", exitCode: EXIT_THROWN }
  } catch (thrown) {
    const error = asBunhouseError(thrown, `the call of ${target}`)
    terminal.say(`${failureText(error)}${RAN_TEXTS[error.ran]}`)
    return { document: { error: toErrorRecord(error) }, text: "", exitCode: exitOf(error) }
  }
}

/** The one fact that the decision to call once more needs. */
const RAN_TEXTS: Readonly<Record<Ran, string>> = {
  no: "",
  yes: " (the function ran)",
  maybe: " (the function may have run)",
}

interface Names {
  readonly env: string
  readonly function: string
}

/** Settles with `{ ok: true, value }` or `{ ok: false, error }`. Throws what the platform has to say. */
async function request(
  environment: Environment,
  names: Names,
  words: readonly string[],
  timeoutMs: number,
): Promise<Fields> {
  const { url, token } = daemonAddress(environment)
  const failed = (error: unknown): never => {
    throw unanswered(url, names, error)
  }
  const response = await fetch(`${url}${paths.call(names.env, names.function)}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": JSON_TYPE,
      [PROTOCOL_HEADER]: String(PROTOCOL_VERSION),
      [TIMEOUT_HEADER]: String(timeoutMs),
    },
    body: JSON.stringify({ args: argsFromWords(words) }),
    // Bun's own limit is shorter than some calls.
    timeout: false,
    signal: timeoutMs === 0 ? null : AbortSignal.timeout(timeoutMs + DEADLINE_GRACE_MS),
  }).catch(failed)
  const outcome = new Fields("the daemon's answer", await response.json().catch(failed))
  if (!response.ok) throw fromErrorRecord(outcome.unknown("error"))
  return outcome
}

/** JSON does not know `undefined`: as a document it is null, for a person it is nothing. */
function returned(value: unknown, isInteractive: boolean): Answer {
  const text = value === undefined ? "" : JSON.stringify(value, null, isInteractive ? 2 : 0)
  return { document: value, text }
}

/** Only a refused connection is proof that nothing ran. */
function unanswered(url: string, names: Names, cause: unknown): BunhouseError {
  const target = `${names.env}/${names.function}`
  if (cause instanceof DOMException && cause.name === "TimeoutError") {
    const message = `${target}: the deadline passed, and the daemon did not answer`
    return new BunhouseError("DEADLINE_EXCEEDED", message, { cause })
  }
  if (cause instanceof Error && "code" in cause && REFUSED.has(cause.code)) {
    return noDaemon(url, cause)
  }
  const reason = cause instanceof Error ? cause.message : String(cause)
  const message = `${target}: the connection to the daemon was lost during the call (${reason})`
  return new BunhouseError("DAEMON_LOST", message, { cause })
}

/** Bun names it in either way. */
const REFUSED: ReadonlySet<unknown> = new Set(["ConnectionRefused", "ECONNREFUSED"])
