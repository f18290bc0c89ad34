import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { Dialer } from "../../../client/connection/dialer.ts"
import { caught } from "../../support/caught.ts"
import { type FakeDaemon, startFakeDaemon } from "../../support/fake-daemon.ts"

let daemon: FakeDaemon
let tries: number
let dialer: Dialer

beforeEach(() => {
  daemon = startFakeDaemon()
  tries = 0
  dialer = new Dialer(
    () => {
      tries++
      return daemon.address
    },
    { message: () => {}, closed: () => {} },
  )
})
afterEach(() => daemon[Symbol.dispose]())

async function connectOnce(): Promise<void> {
  const socket = await dialer.dial(() => true)
  socket?.close()
  tries = 0
}

function busy(): Response {
  return new Response("busy", { status: 503 })
}

describe("Dialer", () => {
  test("tries once where there never was a daemon", async () => {
    daemon.onConnect = busy
    expect(await caught(dialer.dial(() => true))).toMatchObject({ code: "UNAVAILABLE" })
    expect(tries).toBe(1)
  })

  test("tries again where there was one a moment ago, and asks for its address each time", async () => {
    await connectOnce()
    daemon.onConnect = () => (tries < 4 ? busy() : undefined)
    const socket = await dialer.dial(() => true)
    expect(tries).toBe(4)
    socket?.close()
  })

  test("does not try again what the daemon refuses for good", async () => {
    await connectOnce()
    const error = { code: "UNAUTHENTICATED", message: "no", ran: "no" }
    daemon.onConnect = () => Response.json({ error }, { status: 401 })
    expect(await caught(dialer.dial(() => true))).toMatchObject({ code: "UNAUTHENTICATED" })
    expect(tries).toBe(1)
  })

  test("stops when nobody wants the connection any more", async () => {
    await connectOnce()
    daemon.onConnect = busy
    expect(await dialer.dial(() => tries < 3)).toBeUndefined()
    expect(tries).toBe(3)
  })
})
