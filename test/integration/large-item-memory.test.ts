import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { pathOf } from "../support/http.ts"
import { daemonPeakWhile, MIB } from "../support/memory.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** What the daemon holds of items that are larger than a frame. */
let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(async () => {
  await until(async () => (await stack.here.status()).callsInFlight === 0, "all calls to end")
  await stack[Symbol.asyncDispose]()
})

async function* once(bytes: number) {
  yield new Uint8Array(bytes)
}

describe("memory of the daemon", () => {
  test("stays small while items pass that are larger than it may grow, in each way", async () => {
    const roomy = stack.here.env("roomy", { payloadMiB: 192 })
    const large = await fn(
      async function* (length: number) {
        for (;;) yield new Uint8Array(length)
      },
      { name: "large" },
    ).to(roomy)
    const read = await fn(
      async (source: AsyncIterable<Uint8Array>) => {
        let seen = 0
        for await (const item of source) seen += item.length
        return seen
      },
      { name: "read" },
    ).to(roomy)
    const bytes = 192 * MIB - 100
    const peak = await daemonPeakWhile(stack, async () => {
      for await (const item of large(bytes)) {
        expect(item).toHaveLength(bytes)
        break
      }
      for (const item of large.sync(bytes)) {
        expect(item).toHaveLength(bytes)
        break
      }
      expect(await read(once(bytes))).toBe(bytes)
    })
    // Most of it is garbage: 576 MiB have passed.
    expect(peak).toBeLessThan(bytes)
  }, 60_000)

  test("is a window for a reader over HTTP that does not read, and the generator waits", async () => {
    await fn(
      async function* (bytes: number) {
        for (let i = 0; i < 3; i++) yield "x".repeat(bytes)
      },
      { name: "texts" },
    ).to(stack.here)
    const bytes = 60 * MIB
    const before = (await stack.here.status()).rssBytes
    const response = await fetch(`${stack.url}${pathOf("default", "texts", "/call")}`, {
      method: "POST",
      headers: { authorization: `Bearer ${stack.token}` },
      body: JSON.stringify({ args: [bytes] }),
    })
    const reader = response.body?.getReader()
    let seen = (await reader?.read())?.value?.length ?? 0
    await Bun.sleep(500) // long enough for an item to be in the daemon, if that took it
    expect(((await stack.here.status()).rssBytes - before) / MIB).toBeLessThan(48)
    for (let step = await reader?.read(); step?.done === false; step = await reader?.read()) {
      seen += step.value.length
    }
    expect(seen).toBe(3 * (bytes + '{"item":""}\n'.length) + '{"ok":true}\n'.length)
  }, 60_000)
})
