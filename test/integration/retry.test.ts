import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { fn } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { ask, pathOf } from "../support/http.ts"
import { type Marks, startMarks } from "../support/mark.ts"
import { startProxy } from "../support/proxy.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

let stack: Stack
let marks: Marks
beforeAll(async () => {
  stack = await startStack()
  marks = startMarks()
})
afterAll(async () => {
  await stack[Symbol.asyncDispose]()
  marks[Symbol.dispose]()
})

/** Appends to a file, so that a test knows how often it ran. */
async function log(path: string, ms = 0, text = "x") {
  require("node:fs").appendFileSync(path, text)
  await Bun.sleep(ms)
  return require("node:fs").readFileSync(path, "utf8")
}

/** Ends its env process the first time. */
async function dieOnce(path: string) {
  const { appendFileSync, readFileSync: read } = require("node:fs")
  appendFileSync(path, "x")
  if (read(path, "utf8") === "x") process.kill(process.pid, "SIGKILL")
  return read(path, "utf8")
}

const retries = { max: 5, baseMs: 20 }

describe("retries", () => {
  test("of what did not run: an env that is full is tried until there is room", async () => {
    const env = stack.here.env("full", { concurrency: 1, queue: 0 })
    const sleep = await fn(async (ms: number) => (await Bun.sleep(ms), ms), { name: "s" }).to(env)
    const running = sleep(150)
    await until(async () => (await env.status())?.running === 1, "the place to be taken")
    expect((await caught(sleep(1))).code).toBe("OVERLOADED")
    expect(await sleep.with({ retries })(1)).toBe(1)
    expect(await running).toBe(150)
  })

  test("keep to the deadline, and to the signal", async () => {
    const env = stack.here.env("stuck", { concurrency: 1, queue: 0 })
    const sleep = await fn(async (ms: number) => Bun.sleep(ms), { name: "s" }).to(env)
    const controller = new AbortController()
    const running = caught(sleep.with({ signal: controller.signal })(60_000))
    await until(async () => (await env.status())?.running === 1, "the place to be taken")
    const startedAt = performance.now()
    const late = await caught(sleep.with({ timeoutMs: 400, retries: { max: 20, baseMs: 50 } })(1))
    expect(late).toMatchObject({ code: "OVERLOADED", ran: "no" })
    expect(performance.now() - startedAt).toBeLessThan(1_500)
    const own = new AbortController()
    const aborted = caught(
      sleep.with({ signal: own.signal, retries: { max: 20, baseMs: 20_000 } })(1),
    )
    setTimeout(() => own.abort(), 50)
    expect(await aborted).toMatchObject({ code: "CANCELLED", ran: "no" })
    controller.abort()
    await running
    await env.remove()
  })

  test("never run again what may have run, without a key", async () => {
    const die = await fn(dieOnce).to(stack.here.env("mortal"))
    const mark = marks.next()
    const error = await caught(die.with({ retries })(mark))
    expect(error).toMatchObject({ code: "WORKER_LOST", ran: "maybe" })
    expect(readFileSync(mark, "utf8")).toBe("x")
  })

  test("never run again a function that threw, though it be an error of ours", async () => {
    const inner = await fn(async function inner(path: string) {
      require("node:fs").appendFileSync(path, "x")
      const { BunhouseError } = await import("bunhouse")
      throw new BunhouseError("OVERLOADED", "a call of its own failed")
    }).to(stack.here)
    const mark = marks.next()
    const error = await caught(inner.with({ retries, idempotencyKey: "inner" })(mark))
    expect(error).toMatchObject({ code: "OVERLOADED", ran: "no" })
    expect(readFileSync(mark, "utf8")).toBe("x")
  })

  test("run it again with a key, after the env process was lost", async () => {
    const die = await fn(dieOnce).to(stack.here.env("mortal2"))
    const [mark, other] = [marks.next(), marks.next()]
    expect(await die.with({ retries, idempotencyKey: "a" })(mark)).toBe("xx")
    expect(await die.with({ retries, idempotencyKey: "a" })(mark)).toBe("xx")
    for (const blocking of ["spawn", "resident"] as const) {
      const daemon = stack.connect({ blocking })
      const same = await daemon.get<typeof dieOnce>("mortal2/dieOnce")
      const path = `${other}-${blocking}`
      expect(same.with({ retries, idempotencyKey: path }).sync(path)).toBe("xx")
    }
  })

  test("of blocking calls wait for room, too", async () => {
    const env = stack.here.env("full2", { concurrency: 1, queue: 0 })
    const sleep = await fn(async (ms: number) => (await Bun.sleep(ms), ms), { name: "s" }).to(env)
    await sleep(1)
    const running = sleep(200)
    await until(async () => (await env.status())?.running === 1, "the place to be taken")
    expect((await caught(() => sleep.sync(1))).code).toBe("OVERLOADED")
    expect(sleep.with({ retries }).sync(1)).toBe(1)
    await running
  })

  test("are refused where they cannot be", async () => {
    const same = await fn(async (x: number) => x, { name: "same" }).to(stack.here)
    expect((await caught(() => same.with({ retries: { max: 99 } })(1))).code).toBe(
      "INVALID_ARGUMENT",
    )
    expect((await caught(() => same.with({ idempotencyKey: "" })(1))).code).toBe("INVALID_ARGUMENT")
    const run = () => same.with({ idempotencyKey: "k" }).map([1, 2])
    expect((await caught(run)).message).toContain("without an idempotencyKey")
  })
})

describe("an idempotency key", () => {
  test("makes many calls one, whoever makes them and however", async () => {
    const append = await fn(log).to(stack.here)
    const mark = marks.next()
    const keyed = append.with({ idempotencyKey: "once" })
    const other = await stack.connect().get<typeof log>("log")
    const calls = [
      keyed(mark, 50),
      keyed(mark, 50),
      other.with({ idempotencyKey: "once" })(mark, 50),
    ]
    expect(await Promise.all(calls)).toEqual(["x", "x", "x"])
    expect(keyed.sync(mark, 50)).toBe("x")
    const resident = await stack.connect({ blocking: "resident" }).get<typeof log>("log")
    expect(resident.with({ idempotencyKey: "once" }).sync(mark, 50)).toBe("x")
    expect(readFileSync(mark, "utf8")).toBe("x")
    expect(await append(mark)).toBe("xx")
  })

  test("with other arguments is refused", async () => {
    const append = await fn(log).to(stack.here)
    const keyed = append.with({ idempotencyKey: "twice", retries })
    await keyed(marks.next())
    const error = await caught(keyed(marks.next()))
    expect(error).toMatchObject({ code: "IDEMPOTENCY_CONFLICT", ran: "no", function: "log" })
    expect(error.message).toContain('"twice"')
  })

  test("works over plain HTTP", async () => {
    await fn(log).to(stack.here.env("http"))
    const mark = marks.next()
    const post = (body: object, key: string) =>
      ask(stack, "POST", pathOf("http", "log", "/call"), {
        body: JSON.stringify(body),
        headers: { "idempotency-key": key },
      })
    const answers = [await post([mark], "k1"), await post([mark], "k1")]
    for (const { text } of answers) expect(JSON.parse(text)).toEqual({ ok: true, value: "x" })
    expect((await post([mark, 1], "k1")).status).toBe(422)
    expect((await post([mark], "k".repeat(300))).status).toBe(400)
  })

  test("and retries survive a connection that breaks: the function runs once", async () => {
    using proxy = startProxy(stack.url)
    const append = await fn(log).to(stack.connect({ url: proxy.url }))
    const mark = marks.next()
    const call = append.with({ retries, idempotencyKey: mark })(mark, 300)
    const keyless = caught(append.with({ retries })(`${mark}-keyless`, 300))
    await until(() => Bun.file(mark).size > 0, "the function to run")
    const before = proxy.connections
    proxy.cut()
    expect(await call).toBe("x")
    expect(await keyless).toMatchObject({ code: "DAEMON_LOST", ran: "maybe" })
    expect(proxy.connections).toBeGreaterThan(before)
    expect(readFileSync(mark, "utf8")).toBe("x")
  })

  test("is not trusted beyond the life of the daemon: what may have run is not run again", async () => {
    await using own = await startStack()
    const append = await fn(log).to(own.here)
    const mark = marks.next()
    const call = caught(
      append.with({ retries: { max: 10, baseMs: 200 }, idempotencyKey: "k" })(mark, 60_000),
    )
    await until(() => Bun.file(mark).size > 0, "the function to run")
    await own.kill()
    await own.startAgain()
    const error = await call
    expect(error).toMatchObject({ code: "DAEMON_LOST", ran: "maybe" })
    expect(error.message).toContain("started anew")
    expect(readFileSync(mark, "utf8")).toBe("x")
    expect(await append.with({ idempotencyKey: "k" })(mark)).toBe("xx")
  })
})
