import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { ask, pathOf } from "../support/http.ts"
import { type Stack, startStack } from "../support/stack.ts"

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack[Symbol.asyncDispose]())

describe("the deadline of an env", () => {
  test("is that of calls that name none, on every surface", async () => {
    const env = stack.here.env("short", { timeoutMs: 150 })
    const sleep = await fn(async function sleep(ms: number) {
      await Bun.sleep(ms)
      return "slept"
    }).to(env)
    const late = { code: "DEADLINE_EXCEEDED", ran: "maybe" }
    expect(await caught(sleep(1_000))).toMatchObject(late)
    expect(await caught(() => sleep.sync(1_000))).toMatchObject(late)
    const found = await stack.connect().get<typeof sleep>("short/sleep")
    expect(await caught(found(1_000))).toMatchObject(late)
    const path = pathOf("short", "sleep", "/call")
    expect((await ask(stack, "POST", path, { body: "[1000]" })).status).toBe(504)
    expect(await sleep.with({ timeoutMs: 5_000 })(300)).toBe("slept")
    const headers = { "bunhouse-timeout-ms": "5000" }
    expect((await ask(stack, "POST", path, { body: "[300]", headers })).status).toBe(200)
  })

  test("changes without another process, and can be none", async () => {
    const env = stack.here.env("changing", { timeoutMs: 50 })
    const send = () => fn(async (ms: number) => Bun.sleep(ms), { name: "nap" }).to(env)
    const nap = await send()
    expect((await caught(nap(300))).code).toBe("DEADLINE_EXCEEDED")
    const pid = (await env.status())?.pid
    await stack.here.env("changing", { timeoutMs: 0 }).ready()
    await (
      await send()
    )(300)
    expect((await env.status())?.pid).toBe(pid)
  })

  test.each([[-1], [1.5], ["100"], [2 ** 32]])("%p is refused", async (timeoutMs) => {
    // @ts-expect-error some of these are no numbers
    const error = await caught(() => stack.here.env("refused", { timeoutMs }))
    expect(error.code).toBe("INVALID_ARGUMENT")
    expect(error.message).toContain("timeoutMs")
  })
})
