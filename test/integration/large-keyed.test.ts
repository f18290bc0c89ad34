import { readFileSync } from "node:fs"
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { decodePayload, encodeArgs } from "../../protocol/codec/index.ts"
import { FrameFlag, FrameType } from "../../protocol/frame.ts"
import { PARTS_STREAM } from "../../protocol/parts/part.ts"
import { caught } from "../support/caught.ts"
import { batchOf } from "../support/frames.ts"
import { pathOf } from "../support/http.ts"
import { type Marks, startMarks } from "../support/mark.ts"
import { daemonPeakWhile, MIB } from "../support/memory.ts"
import { noise, sameBytes } from "../support/noise.ts"
import { storedPayloadBytes } from "../support/payload-store.ts"
import { sendSignal } from "../support/processes.ts"
import { RawClient } from "../support/raw-client.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** Over what fits one frame, and not a multiple of a part. */
const LARGE = 9 * MIB + 12_345
const retries = { max: 3, baseMs: 1 }

let stack: Stack
let marks: Marks
beforeEach(async () => {
  stack = await startStack()
  marks = startMarks()
})
afterEach(async () => {
  await until(async () => (await stack.here.status()).callsInFlight === 0, "no call to be left")
  expect(await stack.log()).not.toContain("uncaught")
  await stack[Symbol.asyncDispose]()
  marks[Symbol.dispose]()
})

/** Writes into `mark` for each time it runs, and gives its argument back. */
async function echo(mark: string, value: Uint8Array): Promise<Uint8Array> {
  const { appendFileSync: append } = await import("node:fs")
  append(mark, "x")
  await Bun.sleep(50)
  return value
}

const runs = (mark: string) => readFileSync(mark, "utf8").length
const value = noise(LARGE)

describe("large values of calls with an idempotency key", () => {
  test("run once, and are told to all who ask, in each way of calling", async () => {
    const mark = marks.next()
    const key = { idempotencyKey: "k" }
    const sent = await fn(echo).to(stack.here)
    const other = await stack.connect().get<typeof echo>("echo")
    const resident = await stack.connect({ blocking: "resident" }).get<typeof echo>("echo")
    const answers = await Promise.all(
      [sent, sent, other].map((each) => each.with(key)(mark, value)),
    )
    answers.push(sent.with(key).sync(mark, value), resident.with(key).sync(mark, value))
    const response = await fetch(`${stack.url}${pathOf("default", "echo", "/call")}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${stack.token}`,
        "content-type": "application/msgpack",
        "idempotency-key": "k",
      },
      body: new Uint8Array(encodeArgs([mark, value])),
    })
    const body = new Uint8Array(await response.arrayBuffer())
    const decoded = decodePayload(body, 0, body.length)
    if (decoded instanceof Uint8Array) answers.push(decoded)
    expect(answers.map((answer) => sameBytes(answer, value))).toEqual(Array(6).fill(true))
    expect(runs(mark)).toBe(1)
    const others = noise(LARGE, 1)
    for (const wrong of [others, new Uint8Array(3)]) {
      expect(await caught(sent.with(key)(mark, wrong))).toMatchObject({
        code: "IDEMPOTENCY_CONFLICT",
      })
    }
    expect(runs(mark)).toBe(1)
  })

  test("run once though the first caller goes while he brings them", async () => {
    const mark = marks.next()
    const sent = await fn(echo).to(stack.here)
    const payload = encodeArgs([mark, value])
    const client = await RawClient.connect(stack)
    client.bind("default", "echo")
    const { length } = payload
    client.call(1, { flags: FrameFlag.parts, serial: length, extra: `{"key":"k"}` })
    await until(() => client.frames.find(({ serial }) => serial === PARTS_STREAM), "credit")
    const part = { id: 1, timeoutMs: length, payload: payload.subarray(0, 100_000) }
    client.send(batchOf(FrameType.part, part))
    const call = sent.with({ idempotencyKey: "k" })(mark, value)
    await Bun.sleep(100)
    client.close()
    expect(sameBytes(await call, value)).toBe(true)
    expect(runs(mark)).toBe(1)
  })

  test("are tried again when their env process is killed", async () => {
    const mark = marks.next()
    const dieOnce = await fn(
      async (path: string, bytes: Uint8Array) => {
        const { appendFileSync: append, readFileSync: read } = await import("node:fs")
        append(path, "x")
        if (read(path, "utf8") === "x") process.kill(process.pid, "SIGKILL")
        return bytes
      },
      { name: "dieOnce" },
    ).to(stack.here.env("mortal"))
    const keyed = dieOnce.with({ retries, idempotencyKey: "k" })
    for (let i = 0; i < 2; i++) expect(sameBytes(await keyed(mark, value), value)).toBe(true)
    expect(runs(mark)).toBe(2)
  })

  test("survive a kill of the broker: who asks again is told the result", async () => {
    const mark = marks.next()
    const keyed = (await fn(echo).to(stack.here)).with({ idempotencyKey: "k" })
    expect(sameBytes(await keyed(mark, value), value)).toBe(true)
    sendSignal((await stack.here.status()).broker.pid ?? 0, "SIGKILL")
    await until(async () => {
      try {
        return sameBytes(await keyed(mark, value), value)
      } catch {
        return false
      }
    }, "the result")
    expect(runs(mark)).toBe(1)
  })

  test("are forgotten with their daemon, and so is what the store had of them", async () => {
    const mark = marks.next()
    const sent = await fn(echo).to(stack.here)
    expect(sameBytes(await sent.with({ idempotencyKey: "k" })(mark, value), value)).toBe(true)
    expect(Math.abs((await storedPayloadBytes(stack, "calls")) - LARGE)).toBeLessThan(MIB)
    await stack.kill()
    await stack.startAgain()
    const again = await stack.connect().get<typeof echo>("echo")
    const small = value.subarray(0, 8 * MIB)
    expect(sameBytes(await again.with({ idempotencyKey: "k" })(mark, small), small)).toBe(true)
    expect(Math.abs((await storedPayloadBytes(stack, "calls")) - 8 * MIB)).toBeLessThan(MIB)
    expect(runs(mark)).toBe(2)
  })

  test("take little memory of the daemon, many at a time", async () => {
    const mark = marks.next()
    const sent = await fn(echo).to(stack.here)
    await sent.with({ idempotencyKey: "first" })(mark, value)
    const large = noise(40 * MIB)
    const keyed = sent.with({ idempotencyKey: "k" })
    const peak = await daemonPeakWhile(stack, async () => {
      const answers = await Promise.all([
        keyed(mark, large),
        keyed(mark, large),
        keyed(mark, large),
      ])
      expect(answers.map((answer) => sameBytes(answer, large))).toEqual([true, true, true])
    })
    // Arguments and results of all three would be 240; some of it is garbage.
    expect(peak / MIB).toBeLessThan(160)
    expect(runs(mark)).toBe(2)
  }, 60_000)
})
