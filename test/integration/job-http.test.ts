import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { decodePayload, encodeArgs } from "../../protocol/codec/index.ts"
import { Fields } from "../../protocol/fields.ts"
import { JOB_WAIT_MS_MAX, JOBS_LISTED_MAX, JOBS_WAITED_MAX } from "../../protocol/limits.ts"
import { ask, pathOf } from "../support/http.ts"
import { type Stack, startStack } from "../support/stack.ts"

/** Jobs as somebody with `curl` sees them. */
let stack: Stack
beforeAll(async () => {
  stack = await startStack()
  const lab = stack.here.env("lab")
  await fn(async (...args: unknown[]) => args, { name: "echo" }).to(lab)
  await fn(async (ms: number) => Bun.sleep(ms), { name: "sleep" }).to(lab)
  await fn(
    async () => {
      throw new TypeError("bad day")
    },
    { name: "boom" },
  ).to(lab)
})
afterAll(() => stack[Symbol.asyncDispose]())

async function start(name: string, body: unknown[], options?: object): Promise<string> {
  const headers = { ...(options !== undefined && { "bunhouse-job": JSON.stringify(options) }) }
  const { status, json } = await ask(stack, "POST", pathOf("lab", name, "/jobs"), { body, headers })
  expect(status).toBe(202)
  const job = jobIn(json)
  expect(["queued", "running"]).toContain(job.text("state"))
  return job.text("id")
}

function jobIn(json: unknown): Fields {
  return new Fields("the answer", json).required("job", (job) => job)
}

describe("a job over HTTP", () => {
  test("is started with JSON, and its result is JSON", async () => {
    const id = await start("echo", [1, "a", null])
    const result = await ask(stack, "GET", `/v1/jobs/${id}/result?waitMs=5000`)
    expect([result.status, result.json]).toEqual([200, { ok: true, value: [1, "a", null] }])
    expect(result.headers.get("bunhouse-outcome")).toBe("value")
    expect(JSON.parse(result.headers.get("bunhouse-job") ?? "")).toMatchObject({ id, env: "lab" })
    expect((await ask(stack, "GET", `/v1/jobs/${id}`)).json).toMatchObject({
      job: { id, state: "succeeded" },
    })
    // The library reads it as well.
    expect(await stack.here.job<unknown[]>(id).result()).toEqual([1, "a", null])
  })

  test("takes and gives the encoding of the library as well", async () => {
    const { json } = await ask(stack, "POST", pathOf("lab", "echo", "/jobs"), {
      body: encodeArgs([1n]),
      headers: { "content-type": "application/msgpack" },
    })
    const id = jobIn(json).text("id")
    const response = await fetch(`${stack.url}/v1/jobs/${id}/result?waitMs=5000`, {
      headers: { authorization: `Bearer ${stack.token}` },
    })
    expect(response.headers.get("content-type")).toBe("application/msgpack")
    expect(decodePayload(await response.bytes())).toEqual([1n])
  })

  test("that throws answers 200, and the library throws it", async () => {
    const id = await start("boom", [])
    const { status, json, headers } = await ask(stack, "GET", `/v1/jobs/${id}/result?waitMs=5000`)
    expect([status, headers.get("bunhouse-outcome")]).toEqual([200, "thrown"])
    expect(json).toMatchObject({ ok: false, error: { name: "TypeError", message: "bad day" } })
    const thrown: unknown = await stack.here
      .job(id)
      .result()
      .catch((error: unknown) => error)
    expect(thrown).toMatchObject({ name: "TypeError", message: "bad day" })
  })

  test("that has not ended answers 202 with its status, at once or after the wait", async () => {
    const id = await start("sleep", [60_000])
    for (const query of ["", "?waitMs=50"]) {
      const { status, json } = await ask(stack, "GET", `/v1/jobs/${id}/result${query}`)
      expect([status, json]).toMatchObject([202, { job: { id } }])
    }
    const cancelled = await ask(stack, "DELETE", `/v1/jobs/${id}`)
    expect([cancelled.status, cancelled.json]).toMatchObject([200, { job: { state: "cancelled" } }])
    const result = await ask(stack, "GET", `/v1/jobs/${id}/result`)
    expect([result.status, result.json]).toMatchObject([499, { error: { code: "CANCELLED" } }])
    expect(result.headers.get("bunhouse-outcome")).toBe("failed")
  })

  test("has the deadline that its header says", async () => {
    const { json } = await ask(stack, "POST", pathOf("lab", "sleep", "/jobs"), {
      body: [60_000],
      headers: { "bunhouse-timeout-ms": "50" },
    })
    const id = jobIn(json).text("id")
    const { status } = await ask(stack, "GET", `/v1/jobs/${id}/result?waitMs=5000`)
    expect(status).toBe(504)
  })

  test("has the options of its header", async () => {
    const id = await start("echo", [], { id: "mine", durable: true, delayMs: 60_000 })
    expect(id).toBe("mine")
    const { json } = await ask(stack, "GET", "/v1/jobs?state=queued")
    expect(json).toMatchObject({ jobs: [{ id: "mine", durable: true, attemptsMax: 5 }] })
    await ask(stack, "DELETE", "/v1/jobs/mine")
  })

  test.each([
    ["POST", pathOf("lab", "nothing", "/jobs"), {}, 404],
    ["POST", pathOf("lab", "echo", "/jobs"), { "bunhouse-job": "{" }, 400],
    ["POST", pathOf("lab", "echo", "/jobs"), { "bunhouse-job": `{"delay":1}` }, 400],
    ["POST", pathOf("lab", "echo", "/jobs"), { "bunhouse-job": `{"id":"a/b"}` }, 400],
    ["POST", pathOf("lab", "echo", "/jobs"), { "content-type": "text/plain" }, 400],
    ["POST", "/v1/jobs/ended", {}, 400],
    ["GET", "/v1/jobs?state=asleep", {}, 400],
    ["GET", `/v1/jobs?limit=${JOBS_LISTED_MAX + 1}`, {}, 400],
    ["GET", "/v1/jobs/nobody", {}, 404],
    ["GET", "/v1/jobs/nobody/result", {}, 404],
    ["GET", `/v1/jobs/nobody/result?waitMs=${JOB_WAIT_MS_MAX + 1}`, {}, 400],
    ["GET", "/v1/jobs/nobody/logs", {}, 404],
    ["GET", "/v1/jobs/nobody/logs?from=-1", {}, 400],
    ["GET", `/v1/jobs/nobody/logs?from=${Number.MAX_SAFE_INTEGER}0`, {}, 400],
    ["GET", `/v1/jobs/nobody/logs?waitMs=${JOB_WAIT_MS_MAX + 1}`, {}, 400],
    ["DELETE", "/v1/jobs/nobody", {}, 404],
    ["PUT", "/v1/schedules/x", {}, 400],
    ["PUT", "/v1/schedules/a%2Fb", { "bunhouse-schedule": "{}" }, 400],
    ["DELETE", "/v1/schedules/nobody", {}, 404],
  ] as const)("refuses %s %s with the headers %p", async (method, path, headers, expected) => {
    const body = method === "GET" || method === "DELETE" ? undefined : "[]"
    const { status, json } = await ask(stack, method, path, { body, headers })
    expect(status).toBe(expected)
    expect(json).toMatchObject({ error: { ran: "no" } })
  })

  test("is waited for with others: the answer names those that have ended or are not known", async () => {
    const [slow, quick] = [await start("sleep", [60_000]), await start("sleep", [100])]
    const wait = (ids: string[], waitMs = 5_000) =>
      ask(stack, "POST", "/v1/jobs/ended", { body: { ids, waitMs } })
    expect((await wait([slow], 20)).json).toEqual({ ended: [] })
    expect((await wait([slow, quick])).json).toEqual({ ended: [quick] })
    expect((await wait([slow, "nobody"])).json).toEqual({ ended: ["nobody"] })
    const many = Array.from({ length: JOBS_WAITED_MAX + 1 }, () => slow)
    expect((await wait(many)).status).toBe(400)
    await ask(stack, "DELETE", `/v1/jobs/${slow}`)
  })

  test("has schedules, too", async () => {
    const spec = { cron: "0 3 * * *", timeZone: "UTC", env: "lab", function: "echo", job: {} }
    const headers = { "bunhouse-schedule": JSON.stringify(spec) }
    const put = await ask(stack, "PUT", "/v1/schedules/nightly", { body: "[1]", headers })
    expect([put.status, put.json]).toMatchObject([200, { schedule: { name: "nightly" } }])
    const list = await ask(stack, "GET", "/v1/schedules")
    expect(list.json).toEqual({
      schedules: [new Fields("the answer", put.json).unknown("schedule")],
    })
    const removed = await ask(stack, "DELETE", "/v1/schedules/nightly")
    expect([removed.status, removed.json]).toEqual([200, { removed: true }])
  })
})
