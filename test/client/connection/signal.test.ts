import { NO_EXTRA } from "../../../protocol/extra.ts"
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { Connection } from "../../../client/connection/connection.ts"
import { byWebSocket } from "../../../client/connection/dialer.ts"
import { FrameType } from "../../../protocol/frame.ts"
import { caught } from "../../support/caught.ts"
import { type FakeDaemon, startFakeDaemon } from "../../support/fake-daemon.ts"
import { batchOf } from "../../support/frames.ts"
import { until } from "../../support/until.ts"

let daemon: FakeDaemon
let connection: Connection

beforeEach(() => {
  daemon = startFakeDaemon()
  connection = new Connection(byWebSocket(() => daemon.address))
})
afterEach(() => {
  connection.close()
  daemon[Symbol.dispose]()
})

function call(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const payload = Buffer.from("args")
    const names = { env: "lab", function: "f" }
    const replied = () => resolve()
    connection.call({
      ...names,
      payload,
      extra: NO_EXTRA,
      timeoutMs: 0,
      signal,
      logged: undefined,
      replied,
      failed: reject,
    })
  })
}

function cancels(): number[] {
  return daemon.frames.filter(({ type }) => type === FrameType.cancel).map(({ id }) => id)
}

/** A signal that counts who listens to it. */
function countedSignal() {
  const controller = new AbortController()
  const { signal } = controller
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  const counted = { listeners: 0, controller, signal }
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    counted.listeners++
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    counted.listeners--
    remove(...args)
  }
  return counted
}

describe("an AbortSignal", () => {
  test("that has fired already sends nothing", async () => {
    const reason = new Error("never mind")
    const error = await caught(call(AbortSignal.abort(reason)))
    expect(error).toMatchObject({ code: "CANCELLED", ran: "no", env: "lab", function: "f" })
    expect(error.cause).toBe(reason)
    expect(daemon.peers.size).toBe(0)
  })

  test("cancels a call that was sent, and the daemon is told which", async () => {
    const { controller, signal } = countedSignal()
    const pending = caught(call(signal))
    const [sent] = await daemon.calls(1)
    controller.abort()
    expect(await pending).toMatchObject({ code: "CANCELLED", ran: "maybe" })
    await until(() => cancels().length === 1, "the cancel")
    expect(cancels()).toEqual([sent?.id ?? -1])
  })

  test("cancels a thousand calls at once, each one once, and keeps none of their listeners", async () => {
    const counted = countedSignal()
    const calls = Array.from({ length: 1_000 }, () => caught(call(counted.signal)))
    await daemon.calls(1_000)
    expect(counted.listeners).toBe(1) // It would compare each of a thousand with all others.
    counted.controller.abort()
    for (const pending of calls) expect((await pending).code).toBe("CANCELLED")
    await until(() => cancels().length === 1_000, "the cancels")
    expect(new Set(cancels()).size).toBe(1_000)
    expect(counted.listeners).toBe(0)
  })

  test("ends what is left of the calls that share it, again and again", async () => {
    let calls = 0
    daemon.onCall = ({ id }, peer) => {
      if (++calls !== 4) peer.send(batchOf(FrameType.reply, { id }))
    }
    const counted = countedSignal()
    await Promise.all([call(counted.signal), call(counted.signal)])
    expect(counted.listeners).toBe(0)
    const third = call(counted.signal)
    const fourth = caught(call(counted.signal))
    await third
    expect(counted.listeners).toBe(1)
    counted.controller.abort()
    expect((await fourth).code).toBe("CANCELLED")
    await until(() => cancels().length === 1, "the cancel")
    expect(counted.listeners).toBe(0)
  })

  test("is not listened to any more once the call has ended, and then changes nothing", async () => {
    daemon.onCall = ({ id }, peer) => void peer.send(batchOf(FrameType.reply, { id }))
    const counted = countedSignal()
    for (let i = 0; i < 20; i++) await call(counted.signal)
    expect(counted.listeners).toBe(0)
    counted.controller.abort()
    expect(cancels()).toEqual([])
  })

  test("does not stop the calls of the same tick that come after it, whenever it fires", async () => {
    daemon.onCall = ({ id }, peer) => void peer.send(batchOf(FrameType.reply, { id }))
    await call(new AbortController().signal)
    for (let turn = 0; turn < 40; turn++) {
      // A connection that has to be opened anew, with a call that gives up at any moment of that.
      daemon.drop()
      const controller = new AbortController()
      const gone = caught(call(controller.signal)).catch(() => {})
      await Bun.sleep(turn % 4)
      controller.abort()
      await Promise.race([call(new AbortController().signal).catch(() => {}), tooLate(turn)])
      await gone
    }
  })
})

async function tooLate(turn: number): Promise<never> {
  await Bun.sleep(4_000)
  throw new Error(`the call after abort ${turn} never ended`)
}
