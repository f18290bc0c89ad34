import { connect } from "node:net"
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { encodeArgs } from "../../protocol/codec/index.ts"
import { decodeErrorRecord } from "../../protocol/errors.ts"
import { FrameFlag, FrameType } from "../../protocol/frame.ts"
import { PARTS_STREAM } from "../../protocol/parts/part.ts"
import { caught } from "../support/caught.ts"
import { batchOf, type SeenFrame } from "../support/frames.ts"
import { pathOf } from "../support/http.ts"
import { isMarked, type Marks, startMarks } from "../support/mark.ts"
import { daemonPeakWhile, daemonRss, MIB } from "../support/memory.ts"
import { sendSignal } from "../support/processes.ts"
import { RawClient } from "../support/raw-client.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

const LARGE = 9 * MIB

let stack: Stack
let marks: Marks
beforeEach(async () => {
  stack = await startStack()
  marks = startMarks()
})
afterEach(async () => {
  await nothingIsLeft()
  await stack[Symbol.asyncDispose]()
  marks[Symbol.dispose]()
})

/** No call is in flight, and no place in an env is taken. */
async function nothingIsLeft(): Promise<void> {
  await until(async () => {
    const { callsInFlight, envs } = await stack.here.status()
    return callsInFlight === 0 && envs.every(({ running, queued }) => running + queued === 0)
  }, "no call to be left, and no place to be taken")
}

function sendMarker() {
  return fn(
    async (path: string, value: Uint8Array) => {
      await Bun.write(path, "")
      return value.length
    },
    { name: "marker" },
  ).to(stack.here)
}

function isGrant({ type, serial }: SeenFrame): boolean {
  return type === FrameType.credit && serial === PARTS_STREAM
}

function isEnd({ type }: SeenFrame): boolean {
  return type === FrameType.error
}

/** A call of `marker` whose arguments a test brings part by part. */
async function begin(timeoutMs = 10_000) {
  await sendMarker()
  const path = marks.next()
  const payload = encodeArgs([path, new Uint8Array(LARGE)])
  const client = await RawClient.connect(stack)
  client.bind("default", "marker")
  client.call(1, { flags: FrameFlag.parts, serial: payload.length, timeoutMs })
  await until(() => client.frames.find(isGrant), "credit for the arguments")
  const part = (at: number, bytes = payload.subarray(at, at + 100_000), total = payload.length) => {
    client.send(batchOf(FrameType.part, { id: 1, target: at, timeoutMs: total, payload: bytes }))
  }
  /** The error that ends the call. */
  const ended = async () => {
    const { text } = await until(() => client.frames.find(isEnd), "the end of the call")
    return decodeErrorRecord(Buffer.from(text))
  }
  return { client, path, part, ended, payload }
}

describe("arguments that do not arrive as a whole", () => {
  test.each([
    ["out of order", (part: Part) => (part(0), part(200_000))],
    ["twice", (part: Part) => (part(0), part(0))],
    ["beyond the end", (part: Part) => part(0, new Uint8Array(1_000), 999)],
    ["of another payload", (part: Part) => (part(0), part(100_000, undefined, LARGE))],
  ])("parts %s: the call is refused and never runs", async (_what, say) => {
    const { client, path, part, ended } = await begin()
    say(part)
    expect(await ended()).toMatchObject({ code: "PROTOCOL_ERROR", ran: "no" })
    expect(isMarked(path)).toBe(false)
    client.close()
  })

  test("more than the env takes, whatever the caller had said", async () => {
    const { client, part, ended } = await begin()
    part(0, undefined, 70 * MIB)
    expect(await ended()).toMatchObject({ code: "PAYLOAD_TOO_LARGE", ran: "no" })
    client.close()
  })

  test("the deadline ends the call, and frees its place", async () => {
    const { client, path, part, ended } = await begin(300)
    part(0)
    expect(await ended()).toMatchObject({ code: "DEADLINE_EXCEEDED" })
    await nothingIsLeft()
    expect(isMarked(path)).toBe(false)
    client.close()
  })

  test("a caller that goes away takes its call along", async () => {
    const { client, path, part } = await begin()
    part(0)
    client.close()
    await nothingIsLeft()
    expect(isMarked(path)).toBe(false)
  })

  test("the env process is killed", async () => {
    const { client, part, ended } = await begin()
    part(0)
    const pid = (await stack.here.env("default").status())?.pid ?? 0
    sendSignal(pid, "SIGKILL")
    expect(await ended()).toMatchObject({ code: "WORKER_LOST" })
    client.close()
  })

  test("the broker is killed", async () => {
    const { client, part, ended } = await begin()
    part(0)
    sendSignal((await stack.here.status()).broker.pid ?? 0, "SIGKILL")
    expect(await ended()).toMatchObject({ code: "BROKER_LOST" })
    client.close()
  })

  test("a request whose body breaks off", async () => {
    await sendMarker()
    const path = marks.next()
    const payload = encodeArgs([path, new Uint8Array(LARGE)])
    const { hostname, port } = new URL(stack.url)
    const socket = connect(Number(port), hostname)
    const head = [
      `POST ${pathOf("default", "marker", "/call")} HTTP/1.1`,
      `host: 127.0.0.1`,
      `authorization: Bearer ${stack.token}`,
      "content-type: application/msgpack",
      `content-length: ${payload.length}`,
    ]
    socket.write(`${head.join("\r\n")}\r\n\r\n`)
    socket.write(payload.subarray(0, MIB))
    await until(async () => (await stack.here.status()).callsInFlight === 1, "the call to begin")
    socket.destroy()
    await nothingIsLeft()
    expect(isMarked(path)).toBe(false)
  })

  type Part = Awaited<ReturnType<typeof begin>>["part"]
})

describe("a caller that gives up", () => {
  test("while its arguments leave: the function never runs", async () => {
    const marker = await sendMarker()
    const path = marks.next()
    const stop = new AbortController()
    const call = marker.with({ signal: stop.signal })(path, new Uint8Array(LARGE))
    setImmediate(() => stop.abort())
    expect(await caught(call)).toMatchObject({ code: "CANCELLED", ran: "no" })
    await nothingIsLeft()
    expect(isMarked(path)).toBe(false)
  })

  test("while its result arrives: the place is free again, the next call works", async () => {
    const make = await fn(async (bytes: number) => new Uint8Array(bytes), { name: "make" }).to(
      stack.here,
    )
    const client = await RawClient.connect(stack)
    client.bind("default", "make")
    client.call(1, { payload: encodeArgs([LARGE]) })
    // It grants nothing, so nothing but the announcement comes.
    await until(() => client.frames.find(({ type }) => type === FrameType.part), "the first part")
    expect((await stack.here.status()).callsInFlight).toBe(1)
    client.close()
    await nothingIsLeft()
    expect(await make(LARGE)).toHaveLength(LARGE)
  })
})

describe("memory", () => {
  test("of the daemon stays small while large values pass, both ways", async () => {
    const echo = await fn(async (x: Uint8Array) => x, { name: "echo" }).to(stack.here)
    const value = new Uint8Array(40 * MIB)
    await echo(value.subarray(0, LARGE))
    const peak = await daemonPeakWhile(stack, async () => {
      expect(await echo(value)).toHaveLength(value.length)
      expect(echo.sync(value)).toHaveLength(value.length)
    })
    // Of the 160 MiB that pass, what was freed stays with the process for a second.
    expect(peak / MIB).toBeLessThan(80)
  }, 60_000)

  test("a slow reader over HTTP makes the env process wait, not the daemon hold", async () => {
    await fn(async (bytes: number) => new Uint8Array(bytes), { name: "make" }).to(stack.here)
    const before = await daemonRss(stack)
    const response = await fetch(`${stack.url}${pathOf("default", "make", "/call")}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${stack.token}`,
        "content-type": "application/msgpack",
      },
      body: Buffer.from(encodeArgs([60 * MIB])),
    })
    const reader = response.body?.getReader()
    let bytes = (await reader?.read())?.value?.length ?? 0
    await Bun.sleep(500) // long enough for all of it to be in the daemon, if that took it
    expect(((await daemonRss(stack)) - before) / MIB).toBeLessThan(40)
    for (let step = await reader?.read(); step?.done === false; step = await reader?.read()) {
      bytes += step.value.length
    }
    expect(bytes).toBeGreaterThan(60 * MIB)
  }, 60_000)
})
