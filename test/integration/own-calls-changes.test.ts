import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn, type Remote } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { isMarked, type Marks, startMarks } from "../support/mark.ts"
import { sendSignal } from "../support/processes.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** Calls that stay in a process, while that is busy and while what it may run changes. */
let stack: Stack
let marks: Marks
/** Calls the function of its env by that name, with these arguments. */
let pass: Remote<(name: string, ...args: unknown[]) => Promise<unknown>>

beforeAll(async () => {
  stack = await startStack()
  marks = startMarks()
  pass = await fn(
    async (name: string, ...args: unknown[]) => {
      const { context } = await import("bunhouse")
      return (await context().here.get(name)).async(...args)
    },
    { name: "pass" },
  ).to(stack.here)
  await fn(async (x: unknown) => x, { name: "same" }).to(stack.here)
  await fn(
    async () => {
      const { context } = await import("bunhouse")
      return context().callId
    },
    { name: "id" },
  ).to(stack.here)
})
afterAll(async () => {
  await until(async () => (await stack.here.status()).callsInFlight === 0, "no call is left")
  marks[Symbol.dispose]()
  await stack[Symbol.asyncDispose]()
})

describe("calls after calls", () => {
  test("leave their turns to others: who calls meanwhile is answered, a cancel is heard", async () => {
    const path = marks.next()
    const repeats = await fn(
      async (at: string) => {
        const { context } = await import("bunhouse")
        const { signal } = context()
        const same = await context().here.get<(x: number) => Promise<number>>("same")
        await Bun.write(`${at}.began`, "")
        try {
          for (let i = 0; ; i++) await same(i)
        } finally {
          await Bun.write(`${at}.ended`, String(signal.aborted))
        }
      },
      { name: "repeats" },
    ).to(stack.here)
    const stop = new AbortController()
    const call = caught(repeats.with({ signal: stop.signal })(path))
    await until(() => isMarked(`${path}.began`), "it to run")
    const same = await stack.here.get<(x: number) => Promise<number>>("same")
    for (let i = 0; i < 20; i++) expect(await same(i)).toBe(i)
    stop.abort()
    expect((await call).code).toBe("CANCELLED")
    // The file is there before it is written.
    const ended = async () =>
      isMarked(`${path}.ended`) && ((await Bun.file(`${path}.ended`).text()) || false)
    expect(await until(ended, "it to hear of that")).toBe("true")
  })

  test("of many at once are none lost, though each makes large ones before it gives way", async () => {
    await fn(async (bytes: Uint8Array) => bytes.length, { name: "lengthOf" }).to(stack.here)
    const spread = await fn(
      async (count: number) => {
        const { context } = await import("bunhouse")
        type Length = (bytes: Uint8Array) => Promise<number>
        const lengthOf = await context().here.get<Length>("lengthOf")
        const calls = Array.from({ length: count }, (_, i) => lengthOf(new Uint8Array(200_000 + i)))
        return await Promise.all(calls)
      },
      { name: "spread" },
    ).to(stack.here)
    const outer = await fn(
      async () => {
        const { context } = await import("bunhouse")
        const inner = await context().here.get<(count: number) => Promise<number[]>>("spread")
        return (await Promise.all([inner(5), inner(5), inner(5), inner(5)])).flat().length
      },
      { name: "spreads" },
    ).to(stack.here)
    expect(spread.info.name).toBe("spread")
    expect(await outer()).toBe(20)
  })
})

describe("a call that blocks the loop and stays in the process", () => {
  test("is named, not the one that has made it", async () => {
    const env = stack.here.env("blocked")
    await fn(async (ms: number) => Bun.sleepSync(ms), { name: "blocks" }).to(env)
    const asks = await fn(
      async () => {
        const { context } = await import("bunhouse")
        const blocks = await context().here.get<(ms: number) => Promise<void>>("blocked/blocks")
        await blocks(0)
        await blocks(250)
      },
      { name: "asks" },
    ).to(env)
    await asks()
    await asks()
    const [block] = (await env.status())?.loopBlocks ?? []
    expect(block).toMatchObject({ functions: ["blocks"], isCertain: true, isOver: true })
  })

  test("is ended with its process when nobody waits for the one that has made it, and is named", async () => {
    const path = marks.next()
    const env = stack.here.env("stuck")
    await fn(
      async (at: string) => {
        require("node:fs").writeFileSync(at, "")
        for (;;);
      },
      { name: "spins" },
    ).to(env)
    const asks = await fn(
      async (at: string) => {
        const { context } = await import("bunhouse")
        await (await context().here.get("stuck/spins")).async(at)
      },
      { name: "asks" },
    ).to(env)
    const stop = new AbortController()
    const call = caught(asks.with({ signal: stop.signal })(path))
    await until(() => isMarked(path), "it to spin")
    stop.abort()
    expect((await call).code).toBe("CANCELLED")
    await until(
      async () => (await stack.log()).includes("stuck/spins blocked its event loop"),
      "the process to be ended, and why",
    )
  })
})

describe("versions", () => {
  test("a new one runs from the moment that its deploy is done, in a storm of calls", async () => {
    const env = stack.here.env("storm")
    const send = (version: number) =>
      fn(async () => version, { name: "n", with: { version } }).to(env)
    await send(0)
    const storm = await fn(
      async (calls: number) => {
        const { context } = await import("bunhouse")
        const n = await context().here.get<() => Promise<number>>("storm/n")
        const seen: number[] = []
        for (let i = 0; i < calls; i++) seen.push(...(await Promise.all([n(), n(), n()])))
        return seen
      },
      { name: "storm" },
    ).to(env)
    for (let version = 1; version <= 5; version++) {
      const during = storm(200)
      await send(version)
      expect(new Set(await storm(5))).toEqual(new Set([version]))
      const seen = await during
      expect(seen).toEqual(seen.toSorted((a, b) => a - b))
      expect(seen).toHaveLength(600)
    }
  })

  test("what was deleted is not found", async () => {
    await fn(async () => 1, { name: "mortal" }).to(stack.here)
    expect(await pass("mortal")).toBe(1)
    const path = "/v1/envs/default/functions/mortal"
    const headers = { authorization: `Bearer ${stack.token}` }
    const keeps = await fn(
      async (url: string, authorization: string) => {
        const { context } = await import("bunhouse")
        const mortal = await context().here.get<() => Promise<number>>("mortal")
        const before = await mortal()
        await fetch(url, { method: "DELETE", headers: { authorization } })
        const error = await context()
          .here.get<() => Promise<number>>("same")
          .then(() => mortal())
          .catch((thrown: unknown) => thrown)
        return [before, error instanceof Error && "code" in error ? error.code : error]
      },
      { name: "keeps" },
    ).to(stack.here)
    expect(await keeps(`${stack.url}${path}`, headers.authorization)).toEqual([1, "NOT_FOUND"])
  })

  test("what was deleted is not called on the word of before, though the loop could not hear of it", async () => {
    const path = marks.next()
    await fn(async () => 1, { name: "deleted" }).to(stack.here)
    const deaf = await fn(
      async (at: string) => {
        const { context } = await import("bunhouse")
        const { existsSync, writeFileSync } = await import("node:fs")
        const deleted = await context().here.get<() => Promise<number>>("deleted")
        const before = await deleted()
        writeFileSync(`${at}.began`, "")
        while (!existsSync(`${at}.go`)) Bun.sleepSync(1) // the loop stands still
        const after = await deleted().catch((thrown: unknown) => thrown)
        return [before, after instanceof Error && "code" in after ? after.code : after]
      },
      { name: "deaf" },
    ).to(stack.here)
    const call = deaf(path)
    await until(() => isMarked(`${path}.began`), "the loop to stand still")
    const headers = { authorization: `Bearer ${stack.token}` }
    const url = `${stack.url}/v1/envs/default/functions/deleted`
    expect((await fetch(url, { method: "DELETE", headers })).status).toBe(200)
    await Bun.write(`${path}.go`, "")
    expect(await call).toEqual([1, "NOT_FOUND"])
  })

  test("a process that was replaced calls what the next one serves", async () => {
    const path = marks.next()
    const env = stack.here.env("replaced")
    await fn(async () => process.pid, { name: "pid" }).to(env)
    const pids = await fn(
      async (at: string) => {
        const { context } = await import("bunhouse")
        const { existsSync } = await import("node:fs")
        const pid = await context().here.get<() => Promise<number>>("replaced/pid")
        const before = await pid()
        await Bun.write(`${at}.began`, "")
        while (!existsSync(`${at}.go`)) await Bun.sleep(2)
        return [process.pid, before, await pid()]
      },
      { name: "pids" },
    ).to(env)
    const call = pids(path)
    await until(() => isMarked(`${path}.began`), "it to run")
    await stack.here.env("replaced", { vars: { CHANGED: "yes" } }).ready()
    const next = (await env.status())?.pid
    await Bun.write(`${path}.go`, "")
    const [own, before, after] = await call
    expect([before, after]).toEqual([own, next])
  })

  test("a daemon that stops refuses such calls like any other", async () => {
    await using other = await startStack()
    const path = marks.next()
    await fn(async (x: number) => x, { name: "same" }).to(other.here)
    const late = await fn(
      async (at: string) => {
        const { context } = await import("bunhouse")
        const same = await context().here.get<(x: number) => Promise<number>>("same")
        await same(1)
        await Bun.write(`${at}.began`, "")
        for (let i = 0; ; i++) {
          const end = await same(i).catch((thrown: unknown) => thrown)
          if (typeof end === "number") await Bun.sleep(1)
          else return end instanceof Error && "code" in end ? end.code : end
        }
      },
      { name: "late" },
    ).to(other.here)
    const call = late(path)
    await until(() => isMarked(`${path}.began`), "it to run")
    const [code] = await Promise.all([call, other.stop()])
    expect(code).toBe("UNAVAILABLE")
  })

  test("after a restart of the broker calls work as before", async () => {
    sendSignal((await stack.here.status()).broker.pid ?? 0, "SIGKILL")
    await until(async () => {
      const id = await pass("id").catch(() => undefined)
      // An id that the daemon gives has one dash, and no dot.
      return typeof id === "string" && id.includes(".")
    }, "calls to stay in the process again")
  })
})
