import { connect } from "node:net"
import { describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { encodeArgs } from "../../protocol/codec/index.ts"
import { caught } from "../support/caught.ts"
import { pathOf } from "../support/http.ts"
import { isMarked, startMarks } from "../support/mark.ts"
import { MIB } from "../support/memory.ts"
import { noise, sameBytes } from "../support/noise.ts"
import { storedPayloadBytes } from "../support/payload-store.ts"
import { sendSignal } from "../support/processes.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** Jobs with large values while things are killed under them, and what is left in the store. */
const LARGE = 20 * MIB
const PATIENCE = 60_000

/** Writes a line into `mark` when it runs, and waits for `<mark>.go`; gives its argument back. */
async function sendWork({ here }: Stack) {
  return await fn(
    async (mark: string, value: Uint8Array) => {
      const { appendFileSync, existsSync } = await import("node:fs")
      appendFileSync(mark, "run\n")
      while (!existsSync(`${mark}.go`)) await Bun.sleep(10)
      return value
    },
    { name: "work" },
  ).to(here)
}

async function runsOf(mark: string): Promise<number> {
  return isMarked(mark) ? (await Bun.file(mark).text()).split("\n").length - 1 : 0
}

/** The function of `mark` runs: its file is there before it is written. */
async function begun(mark: string): Promise<void> {
  await until(async () => (await runsOf(mark)) === 1, "the first run", 10_000)
}

async function inStore(stack: Stack, bytes: number, what: string): Promise<void> {
  await until(
    async () => Math.abs((await storedPayloadBytes(stack, "jobs")) - bytes) < MIB,
    what,
    10_000,
  )
}

describe("kill -9 of the daemon", () => {
  const value = noise(LARGE)

  test(
    "before a durable job runs: its arguments are there, and so is its result after another one",
    async () => {
      await using stack = await startStack()
      using marks = startMarks()
      const work = await sendWork(stack)
      const mark = marks.next()
      await Bun.write(`${mark}.go`, "")
      const job = await work.with({ job: { durable: true, delayMs: 1_500 } }).start(mark, value)
      await stack.kill()
      await stack.startAgain()
      expect(sameBytes(await job.result(), value)).toBe(true)
      expect(await runsOf(mark)).toBe(1)
      await stack.kill()
      await stack.startAgain()
      expect(sameBytes(await stack.connect().job<Uint8Array>(job.id).result(), value)).toBe(true)
      await inStore(stack, LARGE, "the result alone to be left")
    },
    PATIENCE,
  )

  test(
    "while a durable job runs: it runs again, with its arguments",
    async () => {
      await using stack = await startStack()
      using marks = startMarks()
      const work = await sendWork(stack)
      const mark = marks.next()
      const job = await work.with({ job: { durable: true } }).start(mark, value)
      await begun(mark)
      await stack.kill()
      await Bun.write(`${mark}.go`, "")
      await stack.startAgain()
      expect(sameBytes(await job.result(), value)).toBe(true)
      expect(await runsOf(mark)).toBe(2)
      expect(await job.status()).toMatchObject({ state: "succeeded", attempts: 2 })
    },
    PATIENCE,
  )

  test(
    "while an ordinary job runs: it does not run again, and nothing of it is kept but its end",
    async () => {
      await using stack = await startStack()
      using marks = startMarks()
      const work = await sendWork(stack)
      const mark = marks.next()
      const job = await work.start(mark, value)
      await begun(mark)
      await stack.kill()
      await stack.startAgain()
      expect(await caught(job.result())).toMatchObject({ code: "WORKER_LOST", ran: "maybe" })
      expect(await runsOf(mark)).toBe(1)
      await inStore(stack, 0, "no payload to be left")
    },
    PATIENCE,
  )

  test(
    "while arguments arrive: there is no job, and what had come is removed",
    async () => {
      await using stack = await startStack()
      await sendWork(stack)
      const { socket } = beginUpload(stack, 10 * MIB)
      await inStore(stack, 10 * MIB, "half of the arguments to be there")
      await stack.kill()
      await stack.startAgain()
      await inStore(stack, 0, "no payload to be left")
      expect(await stack.here.jobs()).toEqual([])
      socket.destroy()
    },
    PATIENCE,
  )
})

/** Posts a job, but no more than `bytes` of its arguments. */
function beginUpload(stack: Stack, bytes: number) {
  const payload = encodeArgs(["nowhere", new Uint8Array(LARGE)])
  const { hostname, port } = new URL(stack.url)
  const socket = connect(Number(port), hostname)
  socket.on("error", () => {}) // The daemon may be killed.
  const head = [
    `POST ${pathOf("default", "work", "/jobs")} HTTP/1.1`,
    `host: 127.0.0.1`,
    `authorization: Bearer ${stack.token}`,
    "content-type: application/msgpack",
    `content-length: ${payload.length}`,
  ]
  socket.write(`${head.join("\r\n")}\r\n\r\n`)
  socket.write(payload.subarray(0, bytes))
  return { socket }
}

describe("what is in the store", () => {
  test(
    "is nothing once a body has broken off, and once a job's time is over",
    async () => {
      await using stack = await startStack()
      using marks = startMarks()
      const work = await sendWork(stack)
      const { socket } = beginUpload(stack, 10 * MIB)
      await inStore(stack, 10 * MIB, "half of the arguments to be there")
      socket.destroy()
      await inStore(stack, 0, "nothing to be left of a body that broke off")
      expect(await stack.here.jobs()).toEqual([])

      const mark = marks.next()
      const job = await work.with({ job: { ttlMs: 1_500 } }).start(mark, noise(LARGE))
      await inStore(stack, LARGE, "the arguments")
      await Bun.write(`${mark}.go`, "")
      expect(await job.result()).toHaveLength(LARGE)
      await inStore(stack, 0, "nothing to be left of a job whose time is over")
      expect((await caught(job.status())).code).toBe("NOT_FOUND")
    },
    PATIENCE,
  )
})

describe("kill -9 of the broker", () => {
  test(
    "while a durable job with large values runs: it runs again, and its values are whole",
    async () => {
      await using stack = await startStack()
      using marks = startMarks()
      const work = await sendWork(stack)
      const [mark, value] = [marks.next(), noise(LARGE)]
      const job = await work.with({ job: { durable: true } }).start(mark, value)
      await begun(mark)
      sendSignal((await stack.here.status()).broker.pid, "SIGKILL")
      await Bun.write(`${mark}.go`, "")
      expect(sameBytes(await job.result(), value)).toBe(true)
      expect(await runsOf(mark)).toBe(2)
    },
    PATIENCE,
  )
})
