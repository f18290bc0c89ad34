import { beforeEach, describe, expect, test } from "bun:test"
import type { BlockingCall } from "../../../client/blocking/blocking-caller.ts"
import { ConnectionCaller } from "../../../client/blocking/connection-caller.ts"
import { Connection } from "../../../client/connection/connection.ts"
import type { ChannelHandlers } from "../../../client/connection/transport.ts"
import { encodeArgs, encodeResult } from "../../../protocol/codec/index.ts"
import { NO_EXTRA } from "../../../protocol/extra.ts"
import { FrameType } from "../../../protocol/frame.ts"
import { DEADLINE_GRACE_MS } from "../../../protocol/limits.ts"
import { batchOf, framesIn, type SeenFrame } from "../../support/frames.ts"

/** A transport that is a test: it answers while the caller waits, in the way that the test says. */
let handlers: ChannelHandlers | undefined
let sent: SeenFrame[]
let waits: number
let answer: (calls: SeenFrame[]) => void
let caller: ConnectionCaller
beforeEach(() => {
  sent = []
  waits = 0
  answer = () => {}
  const connection = new Connection((its) => {
    handlers = its
    return {
      messageBytesMax: 1 << 20,
      dial: () => ({
        send: (batch) => sent.push(...framesIn(batch)),
        ref: () => {},
        unref: () => {},
        close: () => {},
      }),
    }
  })
  caller = new ConnectionCaller(connection, {
    begin: () => {},
    wait: (ms) => {
      waits++
      answer(sent.filter(({ type }) => type === FrameType.call))
      Bun.sleepSync(Math.min(ms, 1))
    },
  })
})

const CALL: BlockingCall = {
  names: { env: "lab", function: "f" },
  payload: encodeArgs([1]),
  flags: 0,
  extra: NO_EXTRA,
  around: undefined,
  timeoutMs: 0,
  wantsLogs: true,
}

function reply({ id }: SeenFrame, value: unknown): void {
  handlers?.message(batchOf(FrameType.reply, { id, payload: encodeResult(value) }), "boot.i1")
}

describe("a blocking call by the thread's own connection", () => {
  test("is sent, and answered, without a turn of the thread's loop", () => {
    answer = ([call]) => call && reply(call, "done")
    let turns = 0
    setImmediate(() => turns++)
    queueMicrotask(() => turns++)
    expect(caller.call(CALL, () => {})).toMatchObject({ kind: "returned", value: "done" })
    expect([turns, waits]).toEqual([0, 1])
    expect(sent.map(({ type }) => type)).toEqual([FrameType.bind, FrameType.call])
  })

  test("takes in what comes for others meanwhile", () => {
    const order: unknown[] = []
    answer = ([outer, inner]) => {
      if (inner !== undefined && outer !== undefined) {
        reply(outer, "outer")
        reply(inner, "inner")
      } else if (order.length === 0) {
        order.push("asked")
        const made = caller.call({ ...CALL, wantsLogs: false }, () => {})
        order.push(made)
      }
    }
    expect(caller.call(CALL, () => {})).toMatchObject({ value: "outer" })
    expect(order).toEqual(["asked", { kind: "returned", value: "inner", wasPromise: false }])
  })

  test("ends when the channel does", () => {
    answer = () => handlers?.closed("cut off")
    expect(caller.call(CALL, () => {})).toMatchObject({
      kind: "threw",
      thrown: { code: "DAEMON_LOST", ran: "maybe" },
    })
  })

  test("ends by its deadline where nobody answers, and is given up (CC1)", () => {
    const begun = performance.now()
    const outcome = caller.call({ ...CALL, timeoutMs: 10 }, () => {})
    expect(outcome).toMatchObject({
      kind: "threw",
      thrown: { code: "DEADLINE_EXCEEDED", ran: "maybe", env: "lab", function: "f" },
    })
    expect(performance.now() - begun).toBeGreaterThanOrEqual(10 + 2 * DEADLINE_GRACE_MS)
    expect(sent.at(-1)?.type).toBe(FrameType.cancel)
    answer = (calls) => {
      for (const call of calls) reply(call, call === calls[0] ? "late" : "right")
    }
    expect(caller.call(CALL, () => {})).toMatchObject({ kind: "returned", value: "right" })
  })
})
