import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { connect, type Socket } from "node:net"
import { fn } from "../../client/index.ts"
import { encodeArgs } from "../../protocol/codec/index.ts"
import { FrameFlag, FrameReader, FrameType, FrameWriter } from "../../protocol/frame.ts"
import { FRAMES_TYPE, PAYLOAD_TYPE, paths } from "../../protocol/http.ts"
import { writeCredit } from "../../protocol/streams/credit.ts"
import { framesIn } from "../support/frames.ts"
import { ask, pathOf } from "../support/http.ts"
import { isMarked, type Marks, startMarks } from "../support/mark.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** Generator functions as somebody with `curl` sees them. */
let stack: Stack
let marks: Marks
beforeAll(async () => {
  stack = await startStack()
  marks = startMarks()
  const lab = stack.here.env("lab")
  await fn(
    async function* (n: number, failAt = -1) {
      for (let i = 0; i < n; i++) {
        if (i === failAt) throw new RangeError("no more")
        yield { i, text: "two\nlines" }
      }
      return "end"
    },
    { name: "count" },
  ).to(lab)
  await fn(
    async function* (mark: string) {
      const { writeFileSync } = await import("node:fs")
      let i = 0
      try {
        for (;;) yield [i++, "x".repeat(10_000)]
      } finally {
        writeFileSync(mark, String(i))
      }
    },
    { name: "endless" },
  ).to(lab)
  await fn(
    async function* () {
      yield undefined
      yield 1n
    },
    { name: "bigint" },
  ).to(lab)
})
afterAll(async () => {
  await until(async () => (await stack.here.status()).callsInFlight === 0, "all calls to end")
  await stack[Symbol.asyncDispose]()
  marks[Symbol.dispose]()
})

function call(name: string, args: unknown[], headers: Record<string, string> = {}) {
  return ask(stack, "POST", pathOf("lab", name, "/call"), { body: { args }, headers })
}

function linesOf(text: string): unknown[] {
  expect(text).toEndWith("\n")
  return text
    .slice(0, -1)
    .split("\n")
    .map((line): unknown => JSON.parse(line))
}

function item(i: number) {
  return { i, text: "two\nlines" }
}

describe("a generator function over HTTP", () => {
  test("answers with a line of JSON for each item, and one for the end", async () => {
    const { status, headers, text } = await call("count", [2])
    expect(status).toBe(200)
    expect(headers.get("content-type")).toBe("application/x-ndjson")
    expect(headers.get("cache-control")).toBe("no-store")
    expect(linesOf(text)).toEqual([
      { item: item(0) },
      { item: item(1) },
      { ok: true, value: "end" },
    ])
    expect(linesOf((await call("count", [0])).text)).toEqual([{ ok: true, value: "end" }])
    expect(linesOf((await call("count", [50_000])).text)).toHaveLength(50_001)
  })

  test("answers with server-sent events for who accepts those", async () => {
    const { headers, text } = await call("count", [2], { accept: "text/event-stream" })
    expect(headers.get("content-type")).toBe("text/event-stream")
    expect(text.split("\n\n")).toEqual([
      `data: ${JSON.stringify(item(0))}`,
      `data: ${JSON.stringify(item(1))}`,
      `event: end\ndata: {"ok":true,"value":"end"}`,
      "",
    ])
  })

  test("tells an error as the end, after the items before it", async () => {
    const lines = linesOf((await call("count", [5, 2])).text)
    expect(lines.slice(0, 2)).toEqual([{ item: item(0) }, { item: item(1) }])
    expect(lines.slice(2)).toEqual([
      { ok: false, error: expect.objectContaining({ name: "RangeError", message: "no more" }) },
    ])
    const events = (await call("count", [5, 0], { accept: "text/event-stream" })).text
    expect(events).toStartWith(`event: error\ndata: {"ok":false,"error":{`)
  })

  test("tells what JSON cannot say, and a deadline, as the end, too", async () => {
    const lines = linesOf((await call("bigint", [])).text)
    expect(lines).toEqual([
      { item: null },
      { ok: false, error: expect.objectContaining({ code: "VALUE_NOT_SENDABLE" }) },
    ])
    const mark = marks.next()
    const late = await call("endless", [mark], { "bunhouse-timeout-ms": "200" })
    expect(linesOf(late.text).at(-1)).toEqual({
      ok: false,
      error: expect.objectContaining({ code: "DEADLINE_EXCEEDED", ran: "maybe" }),
    })
    await until(() => isMarked(mark), "the generator to end")
  })

  test("answers with a status where the call is not admitted", async () => {
    expect((await call("missing", [])).status).toBe(404)
    const binary = await ask(stack, "POST", pathOf("lab", "count", "/call"), {
      body: encodeArgs([1]),
      headers: { "content-type": PAYLOAD_TYPE },
    })
    expect(binary.status).toBe(400)
  })

  test("waits for a reader that does not read, and ends when it goes away", async () => {
    const mark = marks.next()
    const reader = await slowReader(pathOf("lab", "endless", "/call"), { args: [mark] })
    await Bun.sleep(500)
    expect(isMarked(mark)).toBe(false)
    reader.destroy()
    await until(() => isMarked(mark), "the generator to end")
    // Items of 10 kB: what the buffers on the way hold, and no more.
    expect(Number(await Bun.file(mark).text())).toBeLessThan(4_000)
  })
})

function callBatch(args: unknown[], name = "count", items = 100): Uint8Array<ArrayBuffer> {
  const writer = new FrameWriter()
  const names = Buffer.from(JSON.stringify({ env: "lab", function: name }))
  writer.write(FrameType.bind, 0, 0, 1, 0, 0, names)
  writeCredit(writer, 7, 0, { items, bytes: 1 << 20 })
  writer.write(FrameType.call, FrameFlag.stream, 7, 1, 10_000, 0, encodeArgs(args))
  return writer.take()
}

async function post(
  path: string,
  body: Uint8Array<ArrayBuffer> = new Uint8Array(0),
  signal: AbortSignal | null = null,
) {
  return fetch(`${stack.url}${path}`, {
    signal,
    method: "POST",
    headers: { authorization: `Bearer ${stack.token}`, "content-type": FRAMES_TYPE },
    body,
  })
}

async function frames(response: Response) {
  return framesIn(new Uint8Array(await response.arrayBuffer()))
}

function keyIn(seen: Awaited<ReturnType<typeof frames>>): string {
  const bind = seen.find(({ type }) => type === FrameType.bind)
  return String(JSON.parse(bind?.text ?? "{}").stream)
}

describe("chunks of a stream over HTTP", () => {
  test("come one by one until the end, after which the stream is gone", async () => {
    const first = await frames(await post(paths.frames, callBatch([250])))
    const key = keyIn(first)
    let items = 0
    let end: number | undefined
    let seen = first
    for (;;) {
      for (const { type, timeoutMs } of seen) {
        if (type === FrameType.items) items += timeoutMs
        if (type === FrameType.reply || type === FrameType.error) end = type
      }
      if (end !== undefined) break
      seen = await frames(await post(paths.streamNext(key)))
      expect(seen.length).toBeGreaterThan(0)
    }
    expect({ items, end }).toEqual({ items: 250, end: FrameType.reply })
    expect((await post(paths.streamNext(key))).status).toBe(404)
    expect((await post(paths.streamRelease(key))).status).toBe(200)
  })

  test("stay within the window while nobody fetches", async () => {
    const mark = marks.next()
    const key = keyIn(await frames(await post(paths.frames, callBatch([mark], "endless", 10))))
    await post(paths.streamRelease(key))
    await until(() => isMarked(mark), "the generator to end")
    expect(Number(await Bun.file(mark).text())).toBeLessThanOrEqual(21)
  })

  test("are for one at a time", async () => {
    await fn(
      async function* (mark: string) {
        yield 1
        while (!(await Bun.file(mark).exists())) await Bun.sleep(5)
        yield 2
      },
      { name: "gate" },
    ).to(stack.here.env("lab"))
    const mark = marks.next()
    const key = keyIn(await frames(await post(paths.frames, callBatch([mark], "gate"))))
    const [one, two] = [post(paths.streamNext(key)), post(paths.streamNext(key))]
    const refused = await Promise.race([one, two])
    expect(refused.status).toBe(400)
    await Bun.write(mark, "")
    const statuses = (await Promise.all([one, two])).map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set([200, 400]))
    await post(paths.streamRelease(key))
  })

  test("end the call when the one who waits for a chunk goes away", async () => {
    const mark = marks.next()
    await fn(
      async function* (path: string) {
        const { context } = await import("bunhouse")
        const aborted = new Promise((resolve) => {
          context().signal.addEventListener("abort", resolve)
        })
        await Bun.write(`${path}.started`, "")
        await aborted
        await Bun.write(`${path}.aborted`, "")
        yield "late"
      },
      { name: "silent" },
    ).to(stack.here.env("lab"))
    const controller = new AbortController()
    const waiting = post(paths.frames, callBatch([mark], "silent"), controller.signal)
    await until(() => isMarked(`${mark}.started`), "the generator to start")
    controller.abort()
    expect(await waiting.catch(() => "gone")).toBe("gone")
    await until(() => isMarked(`${mark}.aborted`), "the generator to hear of it")
  })

  test("need credit ahead of the call", async () => {
    const batch = callBatch([1])
    const reader = new FrameReader()
    reader.open(batch)
    while (reader.next() && reader.type !== FrameType.credit);
    const cut = Buffer.concat([batch.subarray(0, reader.start), batch.subarray(reader.end)])
    const answer = await post(paths.frames, cut)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: { code: "PROTOCOL_ERROR", ran: "no" } })
  })
})

/** A connection that asks and takes what comes first, and nothing more. */
async function slowReader(path: string, body: object): Promise<Socket> {
  const { hostname, port } = new URL(stack.url)
  const text = JSON.stringify(body)
  const socket = connect(Number(port), hostname)
  const first = Promise.withResolvers<void>()
  socket.once("data", () => {
    socket.pause()
    first.resolve()
  })
  socket.write(
    `POST ${path} HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${stack.token}\r\n` +
      `content-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
  )
  await first.promise
  return socket
}
