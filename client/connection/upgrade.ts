import { BunhouseError, fromErrorRecord } from "../../protocol/errors.ts"

/** The opening handshake of RFC 6455, section 4.1: the request, and the header value that its answer must carry. */
export function upgradeRequest(
  url: URL,
  path: string,
  headers: Readonly<Record<string, string>>,
): { readonly request: Buffer; readonly accept: string } {
  const key = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64")
  const accept = new Bun.CryptoHasher("sha1").update(key + ACCEPT_SUFFIX).digest("base64")
  const lines = [
    `GET ${url.pathname.replace(/\/$/, "")}${path} HTTP/1.1`,
    `host: ${url.host}`,
    "connection: Upgrade",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    `sec-websocket-key: ${key}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ]
  return { request: Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), accept }
}

/**
 * Reads the answer from what has arrived so far. Returns what follows it, or undefined when more must arrive.
 *
 * @throws {BunhouseError} the daemon's refusal, or UNAVAILABLE when whoever answers is no daemon.
 */
export function readUpgrade(received: Buffer, accept: string): Buffer | undefined {
  const end = received.indexOf("\r\n\r\n")
  if (end === -1) {
    if (received.length > HEAD_BYTES_MAX) throw notADaemon("its answer has no end")
    return undefined
  }
  const [statusLine = "", ...lines] = received.subarray(0, end).toString("latin1").split("\r\n")
  const headers = new Map(lines.map(splitHeader))
  const rest = received.subarray(end + 4)
  const status = /^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1]
  if (status === "101") {
    if (headers.get("sec-websocket-accept") === accept) return rest
    throw notADaemon("its upgrade is not valid")
  }
  const length = Number(headers.get("content-length") ?? 0)
  if (rest.length < Math.min(length, HEAD_BYTES_MAX)) return undefined
  throw refusalIn(rest) ?? notADaemon(`it answers ${JSON.stringify(statusLine)}`)
}

function refusalIn(body: Buffer): BunhouseError | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString())
    if (typeof parsed === "object" && parsed !== null && "error" in parsed) {
      return fromErrorRecord(parsed.error)
    }
  } catch {
    // Not JSON, so not from a daemon.
  }
  return undefined
}

function splitHeader(line: string): [name: string, value: string] {
  const colon = line.indexOf(":")
  return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()]
}

function notADaemon(how: string): BunhouseError {
  return new BunhouseError("UNAVAILABLE", `whoever listens there is no bunhouse daemon: ${how}`)
}

const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
const HEAD_BYTES_MAX = 16 * 1024
