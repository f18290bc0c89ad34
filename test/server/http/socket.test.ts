import { beforeEach, describe, expect, test } from "bun:test"
import { BunhouseError, decodeErrorRecord } from "../../../protocol/errors.ts"
import { CONNECTION_ID, FrameType } from "../../../protocol/frame.ts"
import { LOG_UNREAD_BYTES_MAX } from "../../../protocol/limits.ts"
import { SocketCaller } from "../../../server/http/socket.ts"
import { batchOf, framesIn, joined, type SeenFrame, standingOn } from "../../support/frames.ts"
import { Lab } from "../../support/lab.ts"

/** A client's end of a connection: what it was sent, and how it was closed. */
class Client {
  readonly frames: SeenFrame[] = []
  unreadBytes = 0
  closed: { code: number; reason: string } | undefined
  readonly socket: SocketCaller

  constructor(lab: Lab) {
    this.socket = new SocketCaller({
      peer: this,
      desk: lab.desk,
      find: (env, name) => {
        const route = env === "lab" ? lab.env.functions.get(name) : undefined
        if (route !== undefined) return route
        throw new BunhouseError("NOT_FOUND", `there is no ${env}/${name}`)
      },
      hello: Buffer.from("hello"),
    })
  }

  send(batch: Uint8Array): void {
    this.frames.push(...framesIn(batch))
  }

  close(code: number, reason: string): void {
    this.closed = { code, reason }
  }

  async received(): Promise<SeenFrame[]> {
    await Bun.sleep(0)
    return this.frames.filter(({ type }) => type !== FrameType.hello)
  }

  /** The error about the connection, if it was refused. */
  async refusal(): Promise<string | undefined> {
    const frame = (await this.received()).find(({ id }) => id === CONNECTION_ID)
    return frame === undefined ? undefined : decodeErrorRecord(Buffer.from(frame.text)).code
  }
}

let lab: Lab
let client: Client
beforeEach(() => {
  lab = new Lab()
  client = new Client(lab)
})

function bind(target = 1, names: object = { env: "lab", function: "f" }): Uint8Array {
  return batchOf(FrameType.bind, { target, payload: JSON.stringify(names) })
}

function call(id: number, target = 1): Uint8Array {
  return batchOf(FrameType.call, { id, target, payload: "args" })
}

describe("SocketCaller", () => {
  test("holds the routes that it has bound, called or not, until their numbers or the connection go", async () => {
    const held: string[] = []
    for (const name of ["f", "g"]) {
      const route = name === "f" ? lab.route : lab.env.add("g", { index: 8 })
      route.hold = () => held.push(name)
      route.letGo = () => void held.splice(held.indexOf(name), 1)
    }
    client.socket.receive(bind(1))
    expect(held).toEqual(["f"])
    client.socket.receive(joined(call(1), call(2)))
    expect(held).toEqual(["f"])
    const again = bind(1, { env: "lab", function: "g" })
    client.socket.receive(joined(again, call(3)))
    expect(held).toEqual(["g"])
    client.socket.closed()
    expect(held).toEqual([])
  })

  test("says hello first, unasked", async () => {
    await Bun.sleep(0)
    expect(client.frames).toMatchObject([{ type: FrameType.hello, text: "hello" }])
  })

  test("forwards a call and its reply under the client's own id, with the daemon's serial", async () => {
    client.socket.receive(joined(bind(), call(77)))
    const [sent] = lab.env.link?.calls ?? []
    lab.env.reply(lab.dispatcher, sent?.id ?? 0, "value")
    expect(await client.received()).toMatchObject([
      { type: FrameType.reply, id: 77, text: "value", serial: sent?.serial },
    ])
  })

  test("forwards what a call prints; where the client does not read, it drops and counts (K3)", async () => {
    client.socket.receive(joined(bind(), call(77), call(78)))
    const [first, second] = lab.env.link?.calls ?? []
    const { link } = lab.env
    if (link === undefined) throw new Error("no link")
    const print = (id = first?.id ?? 0, lines = 1, dropped = 0) => {
      const parts = { id, target: lines, timeoutMs: dropped, payload: "lines" }
      lab.dispatcher.replies(link, standingOn(batchOf(FrameType.log, parts)))
    }
    print()
    client.unreadBytes = LOG_UNREAD_BYTES_MAX + 1
    print(first?.id, 10, 5)
    print(first?.id, 3)
    print(second?.id, 4)
    client.unreadBytes = 0
    print(first?.id, 2, 1)
    print(first?.id, 2)
    for (const each of [first, second]) lab.env.reply(lab.dispatcher, each?.id ?? 0, "value")
    const seen = await client.received()
    expect(seen.map(({ type, id, target, timeoutMs }) => [type, id, target, timeoutMs])).toEqual([
      [FrameType.log, 77, 1, 0],
      [FrameType.log, 77, 2, 1 + 15 + 3],
      [FrameType.log, 77, 2, 0],
      [FrameType.reply, 77, 0, 0],
      [FrameType.log, 78, 0, 4],
      [FrameType.reply, 78, 0, 0],
    ])
    expect(seen.at(-2)?.text).toBe("[]")
  })

  test("tells of a function that is not there in the reply to each call, and goes on", async () => {
    client.socket.receive(joined(bind(1, { env: "lab", function: "none" }), bind(2), call(5)))
    client.socket.receive(call(6, 2))
    const [refusal] = await client.received()
    expect(refusal).toMatchObject({ type: FrameType.error, id: 5 })
    expect(refusal?.text).toContain("NOT_FOUND")
    expect(lab.env.link?.calls).toHaveLength(1)
    expect(client.closed).toBeUndefined()
  })

  test("looks a function up again once it was deleted and sent anew", async () => {
    client.socket.receive(joined(bind(), call(1)))
    lab.route.isRemoved = true
    lab.env.add("f", { index: 99 })
    client.socket.receive(call(2))
    expect(lab.env.link?.calls.map(({ target }) => target)).toEqual([7, 99])
  })

  const strange: readonly (readonly [what: string, code: string, message: Uint8Array])[] = [
    ["an empty message", "PROTOCOL_ERROR", new Uint8Array()],
    ["text", "PROTOCOL_ERROR", Buffer.from("hello")],
    ["a batch that is cut short", "PROTOCOL_ERROR", joined(bind(), call(1)).subarray(0, -1)],
    ["another protocol", "VERSION_MISMATCH", Buffer.from([0x62, 0x68, 9, 0])],
    ["a call to an unbound target", "PROTOCOL_ERROR", call(1, 42)],
    ["two calls of one id", "PROTOCOL_ERROR", joined(bind(), call(1), call(1))],
    ["a hello", "PROTOCOL_ERROR", batchOf(FrameType.hello, { payload: "{}" })],
    ["a reply", "PROTOCOL_ERROR", batchOf(FrameType.reply, { id: 1 })],
    ["a log", "PROTOCOL_ERROR", batchOf(FrameType.log, { id: 1 })],
    ["an error", "PROTOCOL_ERROR", batchOf(FrameType.error, { id: 1 })],
    ["names that are not JSON", "INVALID_ARGUMENT", batchOf(FrameType.bind, { payload: "{" })],
    ["names that are no names", "INVALID_ARGUMENT", bind(1, { env: 1, function: [] })],
    ["names without an env", "INVALID_ARGUMENT", bind(1, {})],
  ]
  test.each(strange)("refuses %s with %s, closes, and heeds nothing more (K1)", async (...row) => {
    const [, code, message] = row
    client.socket.receive(message)
    expect(await client.refusal()).toBe(code)
    expect(client.closed).toEqual({ code: 1002, reason: code })
    const before = lab.env.link?.calls.length
    client.socket.receive(joined(bind(9), call(9, 9)))
    expect(lab.env.link?.calls.length).toBe(before ?? -1)
  })

  test("of one client does not notice what another one does (K1)", async () => {
    const other = new Client(lab)
    other.socket.receive(joined(bind(), call(1)))
    client.socket.receive(Buffer.from("noise"))
    client.socket.closed()
    const [sent] = lab.env.link?.calls ?? []
    lab.env.reply(lab.dispatcher, sent?.id ?? 0, "value")
    expect(await other.received()).toMatchObject([{ id: 1, text: "value" }])
    expect(other.closed).toBeUndefined()
  })

  test("cancels or drops all its calls when the connection closes (K2)", async () => {
    client.socket.receive(joined(bind(), call(1), call(2), call(3)))
    client.socket.closed()
    expect(lab.env.link?.cancels).toHaveLength(2)
    expect(lab.env.backlog.calls).toBe(0)
    for (const { id } of lab.env.link?.calls ?? []) lab.env.reply(lab.dispatcher, id)
    expect(await client.received()).toEqual([])
    lab.expectIdle()
  })

  test("cancels what the client cancels, and nothing for an id that is unknown, over or given again", () => {
    client.socket.receive(joined(bind(), call(1)))
    const again = 1 | (1 << 20)
    for (const id of [2, again, 0, 0xffff_ffff]) {
      client.socket.receive(batchOf(FrameType.cancel, { id }))
    }
    expect(lab.env.link?.cancels).toEqual([])
    client.socket.receive(batchOf(FrameType.cancel, { id: 1 }))
    client.socket.receive(batchOf(FrameType.cancel, { id: 1 }))
    expect(lab.env.link?.cancels).toHaveLength(1)
    client.socket.receive(call(again))
    expect(client.closed).toBeUndefined()
  })

  test("keeps nothing of calls that have ended", async () => {
    client.socket.receive(bind())
    for (let id = 0; id < 200; id++) {
      client.socket.receive(call(id))
      const sent = lab.env.link?.calls.at(-1)
      lab.env.reply(lab.dispatcher, sent?.id ?? 0)
    }
    client.socket.closed()
    expect(lab.env.link?.cancels).toEqual([])
    expect(await client.received()).toHaveLength(200)
  })
})
