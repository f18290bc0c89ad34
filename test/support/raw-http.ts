import { connect } from "node:net"
import type { Stack } from "./stack.ts"

/** What came back on a bare connection. */
export interface RawAnswer {
  /** 0 when the connection was closed without an answer. */
  readonly status: number
  readonly text: string
}

/**
 * Says `lines` as an HTTP request on a connection of its own and reads until the daemon closes, or has answered.
 * The last headers and the empty line are added.
 */
export function sayHttp(stack: Stack, lines: readonly string[], body = ""): Promise<RawAnswer> {
  const { hostname, port } = new URL(stack.url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname)
    let text = ""
    const done = () => {
      socket.destroy()
      resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text })
    }
    socket.setTimeout(3_000, done)
    socket.on("error", (error) =>
      "code" in error && error.code === "ECONNRESET" ? done() : reject(error),
    )
    socket.on("close", done)
    socket.on("data", (chunk) => (text += chunk.toString("latin1")))
    socket.write(`${[...lines, "connection: close"].join("\r\n")}\r\n\r\n${body}`)
  })
}
