import { expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { until } from "../support/until.ts"
import { commandLine } from "./command-line.ts"

test("bunhouse call of an env that is full exits with 6, at once", async () => {
  await using cli = await commandLine()
  expect((await cli.run("start")).exitCode).toBe(0)
  const env = cli.connect().env("full", { concurrency: 1, queue: 0 })
  const sleep = await fn(async function sleep(ms: number) {
    await Bun.sleep(ms)
    return ms
  }).to(env)
  const controller = new AbortController()
  const running = sleep
    .with({ signal: controller.signal })(60_000)
    .catch(() => {})
  await until(async () => (await env.status())?.running === 1, "the place to be taken")
  const { exitCode, stderr } = await cli.run("call", "full/sleep", "1")
  expect([exitCode, stderr]).toEqual([6, expect.stringContaining("no more are taken now")])
  controller.abort()
  await running
})
