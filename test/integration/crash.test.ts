import { describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { descendants, isRunning, sendSignal } from "../support/processes.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** Longest time within which a call must end once what it needs is gone. */
const SETTLED_MS = 1_000

async function sendBoth(stack: Stack, env: string) {
  const target = stack.here.env(env)
  const sleep = await fn(async function sleep(ms: number) {
    await Bun.sleep(ms)
    return process.pid
  }).to(target)
  const block = await fn(function block(ms: number) {
    Bun.sleepSync(ms)
    return process.pid
  }).to(target)
  return { sleep, block }
}

/** How calls in flight end once `kill` was called, and how long after it. */
async function endsAfter(kill: () => unknown, calls: readonly Promise<unknown>[]) {
  let killedAt = 0
  const ends = calls.map(async (call) => {
    const error = await caught(call)
    return { error, ms: performance.now() - killedAt }
  })
  killedAt = performance.now()
  await kill()
  return Promise.all(ends)
}

async function started(stack: Stack, calls: number): Promise<void> {
  await until(async () => {
    const { envs } = await stack.here.status()
    return envs.reduce((sum, env) => sum + env.running, 0) === calls
  }, `${calls} calls are running`)
}

describe("kill -9 of the env process", () => {
  test("ends its calls within a second, with the truth about whether they ran; the next call works", async () => {
    await using stack = await startStack()
    const { sleep, block } = await sendBoth(stack, "victim")
    const other = await sendBoth(stack, "bystander")
    const pid = await sleep(0)
    const calls = [sleep(60_000), block.async(60_000)]
    const bystander = other.sleep(1_500)
    await started(stack, 3)
    for (const { error, ms } of await endsAfter(() => sendSignal(pid, "SIGKILL"), calls)) {
      expect(error).toMatchObject({ code: "WORKER_LOST", ran: "maybe", env: "victim" })
      expect([sleep.info.version, block.info.version]).toContain(error.version ?? "none")
      expect(error.message).toContain("SIGKILL")
      expect(ms).toBeLessThan(SETTLED_MS)
    }
    const next = await sleep(0)
    expect(next).not.toBe(pid)
    expect(block(0)).toBe(next)
    expect(await bystander).toBeNumber()
  })

  test("keeps calls that were waiting for a place: they run in the next process", async () => {
    await using stack = await startStack()
    const target = stack.here.env("narrow", { concurrency: 1 })
    const sleep = await fn(async function sleep(ms: number) {
      await Bun.sleep(ms)
      return process.pid
    }).to(target)
    const pid = await sleep(0)
    const running = sleep(60_000)
    await started(stack, 1)
    const waiting = sleep(1)
    await until(async () => (await target.status())?.queued === 1, "one call waits")
    sendSignal(pid, "SIGKILL")
    expect((await caught(running)).code).toBe("WORKER_LOST")
    expect(await waiting).not.toBe(pid)
  })

  test("by the function itself is told like any other, and process.exit too", async () => {
    await using stack = await startStack()
    const exit = await fn(async function exit(code: number) {
      process.exit(code)
    }).to(stack.here)
    const error = await caught(exit(3))
    expect(error).toMatchObject({ code: "WORKER_LOST", ran: "maybe" })
    expect(error.message).toContain("exit code 3")
  })

  test("again and again makes the env failed, which a restart mends", async () => {
    await using stack = await startStack()
    const target = stack.here.env("fragile")
    const die = await fn(async function die() {
      process.kill(process.pid, "SIGKILL")
    }).to(target)
    const codes: string[] = []
    for (let i = 0; i < 20 && codes.at(-1) !== "ENV_FAILED"; i++)
      codes.push((await caught(die())).code)
    expect(codes.at(-1)).toBe("ENV_FAILED")
    expect(codes.filter((code) => code === "WORKER_LOST").length).toBeGreaterThan(2)
    expect(await target.status()).toMatchObject({ state: "failed" })
    await target.restart()
    expect(await target.status()).toMatchObject({ state: "ready", crashes: 0 })
  }, 20_000)

  test("leaves nothing running that the function had started", async () => {
    await using stack = await startStack()
    const spawn = await fn(async function spawn() {
      return { pid: process.pid, child: Bun.spawn(["sleep", "1000"]).pid }
    }).to(stack.here)
    const { pid, child } = await spawn()
    expect(isRunning(child)).toBe(true)
    sendSignal(pid, "SIGKILL")
    await until(() => !isRunning(child), "the grandchild is gone")
  })
})

describe("kill -9 of the broker", () => {
  test("ends the calls in flight within a second; the next call works, in the same env process", async () => {
    await using stack = await startStack()
    const { sleep, block } = await sendBoth(stack, "default")
    const pid = await sleep(0)
    const calls = [sleep(60_000), block.async(60_000)]
    await started(stack, 2)
    const { broker } = await stack.here.status()
    const kill = () => sendSignal(broker.pid, "SIGKILL")
    for (const { error, ms } of await endsAfter(kill, calls)) {
      expect(error).toMatchObject({ code: "BROKER_LOST", ran: "maybe" })
      expect(ms).toBeLessThan(SETTLED_MS)
    }
    expect(await sleep(0)).toBe(pid)
    const again = await stack.here.status()
    expect(again.broker.pid).not.toBe(broker.pid)
  })
})

describe("kill -9 of the daemon", () => {
  test("ends the calls in flight within a second, leaves nothing running, and a restart brings all back", async () => {
    await using stack = await startStack()
    const { sleep, block } = await sendBoth(stack, "default")
    await sleep(0)
    const family = descendants(stack.pid)
    expect(family.length).toBeGreaterThan(1)
    const calls = [sleep(60_000), block.async(60_000)]
    await started(stack, 2)
    for (const { error, ms } of await endsAfter(() => stack.kill(), calls)) {
      expect(error).toMatchObject({ code: "DAEMON_LOST", ran: "maybe" })
      expect(ms).toBeLessThan(SETTLED_MS)
    }
    await until(() => !family.some(isRunning), "all processes of the daemon are gone")
    await stack.startAgain()
    expect(await sleep(1)).toBeNumber()
    expect(block(1)).toBeNumber()
  })

  test("during a blocking call ends it within a second", async () => {
    await using stack = await startStack()
    const { block } = await sendBoth(stack, "default")
    block(0)
    const killer = Bun.spawn(["sh", "-c", `sleep 0.4; kill -9 ${stack.pid}`])
    const start = performance.now()
    const error = await caught(() => block(60_000))
    expect(performance.now() - start).toBeLessThan(400 + SETTLED_MS)
    expect(error).toMatchObject({ code: "DAEMON_LOST", ran: "maybe" })
    await killer.exited
    const again = await caught(() => block(1))
    expect(again).toMatchObject({ code: "NO_DAEMON", ran: "no" })
    expect(again.message).toContain("bunhouse start")
  })
})
