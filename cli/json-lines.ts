import { BunhouseError, toErrorRecord } from "../protocol/errors.ts"

/** Documents of a text with one JSON document a line. Empty lines are passed over; a bad line is refused by number. */
export async function* jsonItems(
  bytes: ReadableStream<Uint8Array>,
  parse: (line: string, number: number) => unknown = parseLine,
): AsyncGenerator {
  const decoder = new TextDecoder()
  let rest = ""
  let number = 0
  for await (const chunk of bytes) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n")
    rest = lines.pop() ?? ""
    if (rest.length > LINE_LENGTH_MAX) throw tooLong(number + lines.length + 1)
    for (const line of lines) {
      number++
      if (line.trim() !== "") yield parse(line, number)
    }
  }
  if (rest.trim() !== "") yield parse(rest, number + 1)
}

/** A result as one line. Throws VALUE_NOT_SENDABLE for what JSON cannot say. */
export function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "null"
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const message = `a result cannot be written as JSON: ${reason}`
    throw new BunhouseError("VALUE_NOT_SENDABLE", message, { ran: "yes", cause })
  }
}

/** What a call threw, in the form that it has over HTTP. */
export function thrownDocument(thrown: unknown): unknown {
  if (thrown instanceof BunhouseError) return toErrorRecord(thrown)
  if (!Error.isError(thrown)) return { value: thrown }
  const { name, message, stack } = thrown
  return { ...Object.fromEntries(Object.entries(thrown)), name, message, stack }
}

function parseLine(line: string, number: number): unknown {
  try {
    return JSON.parse(line)
  } catch (cause) {
    const message = `line ${number} is not JSON: ${line.slice(0, 60)}`
    throw new BunhouseError("INVALID_ARGUMENT", message, { cause })
  }
}

function tooLong(number: number): BunhouseError {
  return new BunhouseError(
    "INVALID_ARGUMENT",
    `line ${number} is longer than ${LINE_LENGTH_MAX} characters`,
  )
}

/** More than any arguments may take. */
const LINE_LENGTH_MAX = 16 * 1024 * 1024
