import { type Address, noDaemon } from "../../client/settings.ts"
import { checkTimeoutMs } from "../../protocol/deadlines.ts"
import {
  asBunhouseError,
  BunhouseError,
  fromErrorRecord,
  type Ran,
  toErrorRecord,
} from "../../protocol/errors.ts"
import { Fields } from "../../protocol/fields.ts"
import {
  JSON_TYPE,
  LINES_TYPE,
  paths,
  PROTOCOL_HEADER,
  TIMEOUT_HEADER,
} from "../../protocol/http.ts"
import { DEADLINE_GRACE_MS } from "../../protocol/limits.ts"
import { splitAddress } from "../../protocol/names.ts"
import { PROTOCOL_VERSION } from "../../protocol/version.ts"
import { argsFromWords } from "../call-words.ts"
import { type Answer, type Cli, failureText } from "../command.ts"
import { daemonAddress } from "../daemon/find.ts"
import { EXIT_THROWN, exitOf } from "../exit-codes.ts"
import { renderThrown } from "../render/thrown.ts"
import type { Terminal } from "../terminal.ts"
import { textLines } from "../text-lines.ts"

/**
 * `bunhouse call env/function …`: one call by plain HTTP with JSON, which needs nothing of the client library and so
 * starts faster. Interrupting the program closes the connection, which cancels the call. Items of a generator are printed
 * as they come, a line of JSON each; what it returns is told to nobody, as in a `for await`.
 */
export async function call(
  { environment, terminal }: Cli,
  target: string,
  words: readonly string[],
  timeout: number | undefined,
): Promise<Answer | undefined> {
  try {
    const names = splitAddress(target)
    const address = daemonAddress(environment)
    const failed: Failed = (error) => {
      throw unanswered(address.url, names, error)
    }
    const response = await request(address, names, words, checkTimeoutMs(timeout), failed)
    const isStream = response.headers.get("content-type") === LINES_TYPE
    const outcome = isStream
      ? await printItems(terminal, response, failed)
      : new Fields("the daemon's answer", await response.json().catch(failed))
    if (!response.ok) throw fromErrorRecord(outcome.unknown("error"))
    if (outcome.flag("ok")) {
      return isStream ? undefined : returned(outcome.unknown("value"), terminal.isInteractive)
    }
    const error = outcome.unknown("error")
    if (isRecord(error)) throw fromErrorRecord(error)
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

/** Throws what the platform has to say of an answer that does not come. */
type Failed = (error: unknown) => never

/** Settles with an answer whose body is yet to be read. */
async function request(
  { url, token }: Address,
  names: Names,
  words: readonly string[],
  timeoutMs: number,
  failed: Failed,
): Promise<Response> {
  return fetch(`${url}${paths.call(names.env, names.function)}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": JSON_TYPE,
      [PROTOCOL_HEADER]: String(PROTOCOL_VERSION),
      [TIMEOUT_HEADER]: String(timeoutMs),
    },
    body: JSON.stringify({ args: argsFromWords(words) }),
    // The daemon is addressed directly, and its token is no business of a proxy.
    proxy: false,
    // Bun's own limit is shorter than some calls.
    timeout: false,
    signal: timeoutMs === 0 ? null : AbortSignal.timeout(timeoutMs + DEADLINE_GRACE_MS),
  }).catch(failed)
}

/** Settles with the line of the end, once all items are printed. */
async function printItems(terminal: Terminal, { body }: Response, failed: Failed): Promise<Fields> {
  for await (const lines of textLines(body ?? new Blob().stream(), failed)) {
    const documents = lines.map(parseLine)
    const items = documents.flatMap((document) => {
      return document !== undefined && "item" in document ? [JSON.stringify(document.item)] : []
    })
    if (items.length > 0) await terminal.print(items.join("\n"))
    const end = documents.find((document) => document !== undefined && "ok" in document)
    if (end !== undefined) return new Fields("the end of the stream", end)
  }
  return failed(new Error("the stream has no end"))
}

/** Undefined for the line of a large item that was broken off; the line of the end says why. */
function parseLine(line: string): object | undefined {
  try {
    const document: unknown = JSON.parse(line)
    return typeof document === "object" && document !== null ? document : undefined
  } catch {
    return undefined
  }
}

/** Whether the platform failed a stream; its status was sent long before. What was thrown has a name, or is a value. */
function isRecord(error: unknown): boolean {
  return typeof error === "object" && error !== null && "ran" in error && !("name" in error)
}

/** JSON does not know `undefined`: as a document it is null, for a person it is nothing. */
function returned(value: unknown, isInteractive: boolean): Answer {
  const text = value === undefined ? "" : JSON.stringify(value, null, isInteractive ? 2 : 0)
  return { document: value ?? null, text }
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
