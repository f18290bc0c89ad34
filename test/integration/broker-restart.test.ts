import { describe, expect, test } from "bun:test"
import { BunhouseError, fn } from "../../client/index.ts"
import { ask, pathOf } from "../support/http.ts"
import { isMarked, startMarks } from "../support/mark.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"
import { whilePending } from "../support/while-pending.ts"
import { sendSignal } from "../support/processes.ts"

async function killBroker(stack: Stack): Promise<void> {
  const { broker } = await stack.here.status()
  sendSignal(broker.pid, "SIGKILL")
  await until(async () => {
    const now = (await stack.here.status()).broker
    return now.connected && now.pid !== undefined && now.pid !== broker.pid
  }, "the broker to be back")
}

async function killAgainAndAgain(stack: Stack): Promise<void> {
  for (let kill = 0; kill < 4; kill++) {
    await Bun.sleep(100)
    await killBroker(stack)
  }
  await Bun.sleep(100)
}

describe("a broker that is killed", () => {
  test("loses no call that was made after it: the env process comes back in its own time", async () => {
    await using stack = await startStack()
    const echo = await fn(async (x: unknown) => x, { name: "echo" }).to(stack.here)
    const pid = await fn(async () => process.pid, { name: "pid" }).to(stack.here)
    const env = await pid()
    // Frozen, it is certainly not back when the daemon is.
    sendSignal(env, "SIGSTOP")
    await killBroker(stack)
    const calls = Array.from({ length: 20 }, (_, i) => echo(i))
    const overHttp = ask(stack, "POST", pathOf("default", "echo", "/call"), { body: "[7]" })
    await until(async () => (await stack.here.env().status())?.queued === 21, "the calls to wait")
    sendSignal(env, "SIGCONT")
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 20 }, (_, i) => i))
    expect((await overHttp).json).toEqual({ ok: true, value: 7 })
    expect(await pid()).toBe(env)
  })

  test("has what it ran cancelled, so that places are free again", async () => {
    using marks = startMarks()
    await using stack = await startStack()
    const env = stack.here.env("narrow", { concurrency: 1, threads: { max: 1 } })
    const watch = await fn(async function watch(mark: string) {
      const { context } = await import("bunhouse")
      const { signal } = context()
      const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve))
      await Bun.write(`${mark}.started`, "")
      if (!signal.aborted) await aborted
      await Bun.write(`${mark}.aborted`, "")
    }).to(env)
    const spin = await fn(function spin(path: string): never {
      require("node:fs").writeFileSync(path, "")
      for (;;);
    }).to(env)
    const add = await fn((a: number, b: number) => a + b, { name: "add" }).to(env)
    const [mark, spinning] = [marks.next(), marks.next()]
    const ends = [watch(mark), spin.async(spinning)].map((call) =>
      call.catch((error: unknown) => error),
    )
    await until(() => isMarked(`${mark}.started`) && isMarked(spinning), "both to run")
    await killBroker(stack)
    for (const end of ends) expect(await end).toMatchObject({ code: "BROKER_LOST", ran: "maybe" })
    await until(() => isMarked(`${mark}.aborted`), "the function to hear of it")
    expect(await add.async(1, 2)).toBe(3)
  })

  test("again and again, under load, ends every call once and with the truth", async () => {
    using marks = startMarks()
    await using stack = await startStack()
    const leave = await fn(async function leave(path: string) {
      const { appendFile } = await import("node:fs/promises")
      await appendFile(path, "x")
      await Bun.sleep(5)
      return path
    }).to(stack.here)
    await leave(marks.next())
    const ends: { readonly path: string; readonly end: unknown }[] = []
    const kills = killAgainAndAgain(stack)
    const callOnce = async () => {
      const path = marks.next()
      ends.push({ path, end: await leave(path).catch((error: unknown) => error) })
    }
    await Promise.all(Array.from({ length: 16 }, () => whilePending(kills, callOnce)))
    await kills
    const lost = ends.filter(({ end }) => end instanceof BunhouseError)
    expect(lost.length).toBeGreaterThan(0)
    for (const { path, end } of ends) {
      const runs = isMarked(path) ? (await Bun.file(path).text()).length : 0
      const ran = end instanceof BunhouseError ? end.ran : "yes"
      expect({ ran, runs: ran === "maybe" ? "0 or 1" : runs }).toEqual({
        ran,
        runs: ran === "maybe" ? "0 or 1" : ran === "yes" ? 1 : 0,
      })
      expect(runs).toBeLessThanOrEqual(1)
    }
    const { callsInFlight, envs } = await stack.here.status()
    expect([callsInFlight, envs[0]?.crashes, envs[0]?.running]).toEqual([0, 0, 0])
    expect(await stack.log()).not.toMatch(/uncaught|unhandled/)
  }, 15_000)

  test("while a function is loaded lets the call that needs it go on", async () => {
    await using stack = await startStack()
    const body = { kind: "async", run: "loop", code: "export default async (x) => x + 1" }
    await ask(stack, "PUT", pathOf("default", "slow"), { body })
    const slow = await stack.here.get<(x: number) => Promise<number>>("slow")
    expect(await slow(1)).toBe(2)
    await stack.here.env().restart()
    const { pid } = (await stack.here.env().status()) ?? {}
    sendSignal(pid, "SIGSTOP")
    const call = slow(2)
    await until(async () => (await stack.here.env().status())?.queued === 1, "the call to wait")
    await killBroker(stack)
    sendSignal(pid, "SIGCONT")
    expect(await call).toBe(3)
  })
})
