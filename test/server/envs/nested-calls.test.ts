import { beforeEach, describe, expect, test } from "bun:test"
import { decodeErrorRecord } from "../../../protocol/errors.ts"
import { CONNECTION_ID, FrameType } from "../../../protocol/frame.ts"
import { envSubjects } from "../../../protocol/subjects.ts"
import { NestedCalls } from "../../../server/envs/nested-calls.ts"
import { SocketCaller } from "../../../server/http/socket.ts"
import { FakeConnection } from "../../support/fake-connection.ts"
import { batchOf, framesIn, joined, type SeenFrame } from "../../support/frames.ts"
import { Lab } from "../../support/lab.ts"

const subjects = envSubjects("space1", "lab", "i1")

let lab: Lab
let connection: FakeConnection
let calls: NestedCalls
beforeEach(() => {
  lab = new Lab()
  connection = new FakeConnection()
  calls = new NestedCalls({
    connection,
    subjects,
    open: (peer, messageBytesMax) => {
      const { desk } = lab
      const hello = Buffer.from("hello")
      return new SocketCaller({ peer, messageBytesMax, desk, find: () => lab.route, hello })
    },
  })
})

/** What the env process publishes. */
function publish(session: number | string, bytes: Uint8Array): void {
  connection.receive(`${subjects.nested}.${session}`, bytes)
}

const BIND = batchOf(FrameType.bind, {
  target: 1,
  payload: JSON.stringify({ env: "lab", function: "f" }),
})

function call(id: number, payload = "args"): Buffer {
  return batchOf(FrameType.call, { id, target: 1, payload })
}

/** What the env process is answered in a session. */
async function answers(session: number): Promise<SeenFrame[]> {
  await Bun.sleep(0)
  return connection.publishedOn(`${subjects.answers}.${session}`).flatMap(framesIn)
}

async function refusal(session: number): Promise<string | undefined> {
  const frame = (await answers(session)).find(({ id }) => id === CONNECTION_ID)
  return frame === undefined ? undefined : decodeErrorRecord(Buffer.from(frame.text)).code
}

const running = () => lab.env.link?.calls.length ?? 0

describe("NestedCalls", () => {
  test("are calls like any other: a hello, and the reply on the subject of the session", async () => {
    publish(1, joined(BIND, call(5)))
    lab.env.reply(lab.dispatcher, lab.env.link?.calls[0]?.id ?? 0, "ok")
    const [hello, reply] = await answers(1)
    expect(hello).toMatchObject({ type: FrameType.hello, text: "hello" })
    expect(reply).toMatchObject({ type: FrameType.reply, id: 5, text: "ok" })
    lab.expectIdle()
  })

  test.each([
    ["the env process says that the session is over", () => publish(1, new Uint8Array(0))],
    ["the env process was cut off", () => calls.reset()],
    ["the env process is gone", () => calls.close()],
    ["the daemon loses the broker", () => connection.lose()],
    ["the session breaks the protocol", () => publish(1, Buffer.from("noise"))],
  ])("are cancelled when %s (G1, G2)", (_how, end) => {
    publish(1, joined(BIND, call(5)))
    expect(running()).toBe(1)
    expect([...callers()]).toHaveLength(1)
    end()
    expect([...callers()]).toEqual([])
  })

  test("of a session that has ended are refused, and so is who goes on with it", async () => {
    publish(1, joined(BIND, call(5)))
    calls.reset()
    publish(1, call(6))
    expect(await refusal(1)).toBe("UNAVAILABLE")
    expect(running()).toBe(1)
    publish(2, joined(BIND, call(5)))
    expect(running()).toBe(2)
    expect(await refusal(2)).toBeUndefined()
  })

  test("of no session are passed over, and those of one that never began are told", async () => {
    publish(2, BIND)
    for (const session of [1, 0, -1, "x", "1.5", ""]) publish(session, joined(BIND, call(1)))
    expect(running()).toBe(0)
    expect(await refusal(1)).toBe("UNAVAILABLE")
    publish(2, call(1))
    expect(running()).toBe(1)
  })

  test("of several sessions live side by side, and each ends by itself (G1)", async () => {
    publish(1, joined(BIND, call(5)))
    publish(2, joined(BIND, call(5)))
    const [first, second] = lab.env.link?.calls ?? []
    publish(1, new Uint8Array(0))
    expect(callers()).toEqual([second?.id ?? -1])
    lab.env.reply(lab.dispatcher, second?.id ?? -1, "ok")
    expect((await answers(2)).at(-1)).toMatchObject({ type: FrameType.reply, id: 5, text: "ok" })
    lab.env.reply(lab.dispatcher, first?.id ?? -1, "late")
    expect((await answers(1)).map(({ type }) => type)).toEqual([FrameType.hello])
    lab.expectIdle()
  })

  test("leave nothing behind when the process is gone", () => {
    publish(1, joined(BIND, call(5)))
    calls.close()
    expect(connection.listeners).toBe(0)
  })
})

/** Calls of which somebody waits for the end. */
function callers(): number[] {
  const { link } = lab.env
  return (link?.calls ?? []).flatMap(({ id }) => {
    return lab.dispatcher.callOf(id)?.caller === undefined ? [] : [id]
  })
}
