import { reasonOf } from "./reason.ts"

export interface Login {
  readonly user: string
  readonly password: string
}

export type Handshake =
  | { readonly kind: "accepted" }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "unreachable"; readonly reason: string }

/**
 * One handshake with a NATS server on loopback, in the protocol itself: INFO from the server, CONNECT and PING from
 * us, PONG when the server let us in. It proves that a server is up, and that it keeps out who has no password, without
 * what a client library does beside (reconnecting, and mending of errors that matter here).
 */
export async function shakeHands(
  port: number,
  login: Login | undefined,
  timeoutMs: number,
): Promise<Handshake> {
  const done = Promise.withResolvers<Handshake>()
  const unreachable = (reason: string) => done.resolve({ kind: "unreachable", reason })
  const timer = setTimeout(() => unreachable(`no answer within ${timeoutMs} ms`), timeoutMs)
  let said = ""
  let isGreeted = false
  const connecting = Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data(socket, bytes) {
        said = (said + bytes.toString()).slice(-SAID_LENGTH_MAX)
        if (!isGreeted && said.includes("\r\n")) {
          isGreeted = true
          socket.write(greeting(login))
        }
        const outcome = read(said)
        if (outcome !== undefined) done.resolve(outcome)
      },
      close: () => unreachable("the connection was closed"),
      error: (_socket, error) => unreachable(reasonOf(error)),
    },
  })
  connecting.catch((error: unknown) => unreachable(reasonOf(error)))
  try {
    return await done.promise
  } finally {
    clearTimeout(timer)
    // A connection that could not be made was reported above.
    void connecting.then((socket) => socket.terminate()).catch(() => {})
  }
}

const SAID_LENGTH_MAX = 64 * 1024

function greeting(login: Login | undefined): string {
  const connect = {
    verbose: false,
    pedantic: false,
    lang: "bunhouse",
    version: "1",
    protocol: 1,
    ...(login !== undefined && { user: login.user, pass: login.password }),
  }
  return `CONNECT ${JSON.stringify(connect)}\r\nPING\r\n`
}

function read(said: string): Handshake | undefined {
  const refusal = /^-ERR '?([^'\r]*)/m.exec(said)?.[1]
  if (refusal !== undefined) return { kind: "refused", reason: refusal }
  return /^PONG\r$/m.test(said) ? { kind: "accepted" } : undefined
}
