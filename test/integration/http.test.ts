import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { decodePayload, encodeArgs } from "../../protocol/codec/index.ts"
import { temporaryFolder } from "../support/folder.ts"
import { ask, pathOf } from "../support/http.ts"
import { sayHttp } from "../support/raw-http.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** The daemon as somebody with `curl` sees it. */
let stack: Stack
beforeAll(async () => {
  stack = await startStack()
  const lab = stack.here.env("lab", { concurrency: 2, queue: 1 })
  await fn(async (...args: unknown[]) => args, { name: "echo" }).to(lab)
  await fn((a: number, b: number) => a + b, { name: "add" }).to(lab)
  await fn(
    async () => {
      throw Object.assign(new TypeError("bad day", { cause: "rain" }), { status: 418 })
    },
    { name: "boom" },
  ).to(lab)
  await fn(async (ms: number) => Bun.sleep(ms), { name: "sleep" }).to(lab)
})
afterAll(async () => {
  await until(async () => (await stack.here.status()).callsInFlight === 0, "all calls to end")
  await stack[Symbol.asyncDispose]()
})

function call(name: string, body?: string | object, headers: Record<string, string> = {}) {
  return ask(stack, "POST", pathOf("lab", name, "/call"), { body, headers })
}

const JSON_HEADERS = { "content-type": "application/json" }

describe("a call over HTTP", () => {
  test("takes arguments as JSON, in each form, and answers with JSON", async () => {
    const all = [
      await call("echo", { args: [1, "a", null] }),
      await call("echo", [1, "a", null], JSON_HEADERS),
      await call("echo", `{"args":[1,"a",null]}`, {
        "content-type": "Application/JSON; charset=utf-8",
      }),
    ]
    for (const { status, json, headers } of all) {
      expect(status).toBe(200)
      expect(json).toEqual({ ok: true, value: [1, "a", null] })
      expect(headers.get("content-type")).toContain("application/json")
      expect(headers.get("bunhouse-outcome")).toBe("value")
      expect(headers.get("cache-control")).toBe("no-store")
      expect(headers.get("x-content-type-options")).toBe("nosniff")
    }
    expect((await call("add", [2, 3])).json).toEqual({ ok: true, value: 5 })
  })

  test("without a body has no arguments", async () => {
    expect((await call("echo")).json).toEqual({ ok: true, value: [] })
    expect((await call("echo", "", JSON_HEADERS)).json).toEqual({ ok: true, value: [] })
  })

  test("answers what the function throws with 200: the call itself went well", async () => {
    const { status, json, headers } = await call("boom", [])
    expect(status).toBe(200)
    expect(headers.get("bunhouse-outcome")).toBe("thrown")
    expect(json).toMatchObject({
      ok: false,
      error: { name: "TypeError", message: "bad day", status: 418, cause: { value: "rain" } },
    })
  })

  test("takes and gives the encoding of the library as well", async () => {
    const response = await fetch(`${stack.url}${pathOf("lab", "echo", "/call")}`, {
      method: "POST",
      headers: { authorization: `Bearer ${stack.token}`, "content-type": "application/msgpack" },
      body: new Blob([encodeArgs([1n, new Set(["a"])])]),
    })
    expect(response.headers.get("content-type")).toBe("application/msgpack")
    expect(decodePayload(await response.bytes())).toEqual([1n, new Set(["a"])])
  })

  test.each([
    ["text/plain"],
    ["application/x-www-form-urlencoded"],
    ["multipart/form-data; boundary=x"],
    ["application/jsonx"],
    ["x"],
  ])("refuses the content type %p: a page could send it without asking", async (type) => {
    const { status, json } = await call("echo", "[1]", { "content-type": type })
    expect(status).toBe(400)
    expect(json).toMatchObject({ error: { code: "INVALID_ARGUMENT", ran: "no" } })
  })

  test.each([["{"], ["1"], ["null"], [`{"args":{}}`], [`{"argv":[]}`], ["\u0000"], ["[1]]"]])(
    "refuses the body %p, and says what is expected",
    async (body) => {
      const { status, json } = await call("echo", body, JSON_HEADERS)
      expect(status).toBe(400)
      expect(json).toMatchObject({ error: { code: "INVALID_ARGUMENT", ran: "no" } })
    },
  )

  test("of what is not there says what there is", async () => {
    const noFunction = await call("nothing", [])
    expect(noFunction.status).toBe(404)
    expect(noFunction.text).toContain(`no function \\"nothing\\"`)
    const noEnv = await ask(stack, "POST", pathOf("nowhere", "f", "/call"), { body: "[]" })
    expect(noEnv.status).toBe(404)
    expect(noEnv.text).toContain("there are: lab")
    const noRoute = await ask(stack, "GET", "/v1/nothing")
    expect(noRoute.status).toBe(404)
    expect(noRoute.json).toMatchObject({ error: { code: "NOT_FOUND" } })
    expect(noRoute.text).toContain("GET /v1/nothing")
  })

  test("has the deadline that its header says", async () => {
    const { status, json } = await call("sleep", [400], { "bunhouse-timeout-ms": "50" })
    expect(status).toBe(504)
    expect(json).toMatchObject({ error: { code: "DEADLINE_EXCEEDED", ran: "maybe", env: "lab" } })
    const none = await call("sleep", [1], { "bunhouse-timeout-ms": "0" })
    expect(none.status).toBe(200)
    const wrong = await call("sleep", [1], { "bunhouse-timeout-ms": "soon" })
    expect(wrong.status).toBe(400)
    expect(wrong.text).toContain("soon")
  })

  test("whose result is no JSON says so, and that the function ran", async () => {
    const big = await fn(async () => 1n, { name: "big" }).to(stack.here.env("lab"))
    expect(await big()).toBe(1n)
    const { status, json } = await call("big")
    expect(status).toBe(400)
    expect(json).toMatchObject({ error: { code: "VALUE_NOT_SENDABLE", ran: "yes" } })
  })

  test("is cancelled when its caller goes away: the function sees it", async () => {
    using folder = temporaryFolder()
    await fn(
      async (path: string) => {
        const { context } = await import("bunhouse")
        const { signal } = context()
        const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve))
        await Bun.write(`${path}.started`, "")
        await aborted
        await Bun.write(`${path}.aborted`, "")
      },
      { name: "watch" },
    ).to(stack.here.env("lab"))
    const path = folder.join("watch")
    const caller = new AbortController()
    const asked = ask(stack, "POST", pathOf("lab", "watch", "/call"), {
      body: [path],
      headers: JSON_HEADERS,
      signal: caller.signal,
    }).catch(() => "gone")
    await until(() => Bun.file(`${path}.started`).exists(), "the function to start")
    caller.abort()
    expect(await asked).toBe("gone")
    await until(() => Bun.file(`${path}.aborted`).exists(), "the function to see it", 1_000)
  })

  test("that finds no place is answered at once, with a time to come back", async () => {
    const lab = stack.here.env("lab")
    await until(async () => (await lab.status())?.running === 0, "both places to be free")
    const calls = [1, 2, 3].map(() => call("sleep", [1_000]))
    await until(async () => (await lab.status())?.queued === 1, "one call to wait")
    const start = performance.now()
    const { status, headers, json } = await call("sleep", [0])
    expect(performance.now() - start).toBeLessThan(800)
    expect(status).toBe(429)
    expect(headers.get("retry-after")).toBe("1")
    expect(json).toMatchObject({ error: { code: "OVERLOADED", ran: "no", retryAfterMs: 100 } })
    for (const each of calls) expect((await each).status).toBe(200)
  })

  test("goes on although its body comes in drips", async () => {
    const body = new ReadableStream({
      async start(controller) {
        for (const char of "[1,2]") {
          controller.enqueue(Buffer.from(char))
          await Bun.sleep(5)
        }
        controller.close()
      },
    })
    const response = await fetch(`${stack.url}${pathOf("lab", "add", "/call")}`, {
      method: "POST",
      headers: { authorization: `Bearer ${stack.token}` },
      body,
    })
    expect(await response.json()).toEqual({ ok: true, value: 3 })
  })

  test.each([
    ["both lengths", ["content-length: 2", "transfer-encoding: chunked"], "2\r\n[]\r\n0\r\n\r\n"],
    ["two lengths", ["content-length: 2", "content-length: 3"], "[]"],
    ["a negative length", ["content-length: -1"], ""],
    ["a broken chunk", ["transfer-encoding: chunked"], "zz\r\n[]\r\n0\r\n\r\n"],
    ["a body that is cut short", ["content-length: 1000"], "["],
  ])("with %s runs nothing, and the daemon goes on", async (_what, lines, body) => {
    const head = [
      `POST ${pathOf("lab", "add", "/call")} HTTP/1.1`,
      `host: ${new URL(stack.url).host}`,
      `authorization: Bearer ${stack.token}`,
      ...lines,
    ]
    const { status } = await Promise.race([
      sayHttp(stack, head, body),
      Bun.sleep(300).then(() => ({ status: 0 })),
    ])
    expect([0, 400]).toContain(status)
    expect((await call("add", [1, 1])).json).toEqual({ ok: true, value: 2 })
  })
})

describe("the daemon over HTTP", () => {
  test("says that it lives and that it is ready", async () => {
    const health = await fetch(`${stack.url}/health`)
    expect([health.status, await health.json()]).toEqual([200, { alive: true }])
    const ready = await ask(stack, "GET", "/ready")
    expect([ready.status, ready.json]).toEqual([200, { ready: true }])
  })

  test("makes, changes and removes an env", async () => {
    const made = await ask(stack, "PUT", "/v1/envs/temp", { body: { concurrency: 3 } })
    expect(made.json).toEqual({ changed: true })
    const again = await ask(stack, "PUT", "/v1/envs/temp", { body: { concurrency: 3 } })
    expect(again.json).toEqual({ changed: false })
    const odd = await ask(stack, "PUT", "/v1/envs/temp", { body: { concurency: 3 } })
    expect(odd.status).toBe(400)
    expect(odd.text).toContain("concurency")
    for (const body of ["[]", "1", "null", `"x"`, "{"]) {
      expect((await ask(stack, "PUT", "/v1/envs/temp", { body })).status).toBe(400)
    }
    expect((await ask(stack, "POST", "/v1/envs/temp/ready")).json).toEqual({ ready: true })
    expect((await ask(stack, "POST", "/v1/envs/temp/restart")).json).toEqual({ restarted: true })
    expect((await ask(stack, "DELETE", "/v1/envs/temp")).json).toEqual({ removed: true })
    expect((await ask(stack, "DELETE", "/v1/envs/temp")).status).toBe(404)
  })

  test("takes, tells and deletes a function", async () => {
    const path = pathOf("lab", "plain")
    const body = { kind: "async", run: "loop", code: "export default async (x) => x * 2" }
    const sent = await ask(stack, "PUT", path, { body })
    expect(sent.json).toMatchObject({ changed: true, info: { env: "lab", name: "plain" } })
    expect((await call("plain", [21])).json).toEqual({ ok: true, value: 42 })
    const { json } = await ask(stack, "GET", path)
    expect(json).toMatchObject({ name: "plain", kind: "async", run: "loop" })
    expect((await ask(stack, "DELETE", path)).json).toEqual({ removed: true })
    expect((await ask(stack, "GET", path)).status).toBe(404)
    expect((await call("plain", [21])).status).toBe(404)
    expect((await ask(stack, "DELETE", path)).status).toBe(404)
  })

  test.each([
    [{ kind: "async", run: "loop" }, "code"],
    [{ kind: "generator", run: "loop", code: "" }, "kind"],
    [{ kind: "async", run: "moon", code: "" }, "run"],
    [{ kind: "async", run: "loop", code: 1 }, "code"],
    [{ kind: "async", run: "loop", code: "", more: 1 }, "more"],
  ])("refuses the function %j, and names the field", async (body, field) => {
    const { status, text } = await ask(stack, "PUT", pathOf("lab", "odd"), { body })
    expect(status).toBe(400)
    expect(text).toContain(field)
  })

  test("lists what it has", async () => {
    const envs = await ask(stack, "GET", "/v1/envs")
    const functions = await ask(stack, "GET", "/v1/functions")
    expect(envs.json).toMatchObject({ envs: [{ name: "lab", spec: { concurrency: 2, queue: 1 } }] })
    expect(functions.text).toContain(`"echo"`)
  })
})
