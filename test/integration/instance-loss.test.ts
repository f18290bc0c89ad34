import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { cls } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"
import { sendSignal } from "../support/processes.ts"

/** What becomes of instances when what they live in goes away: they are lost, and never quietly replaced. */
let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack[Symbol.asyncDispose]())

class OnLoop {
  #n = 0
  async add(by: number): Promise<number> {
    return (this.#n += by)
  }
  async sleep(ms: number): Promise<void> {
    await Bun.sleep(ms)
  }
  async pid(): Promise<number> {
    return process.pid
  }
}

class OnThread {
  #n = 0
  add(by: number): number {
    return (this.#n += by)
  }
  sleep(ms: number): void {
    Bun.sleepSync(ms)
  }
  spin(): void {
    for (;;);
  }
  exit(): void {
    process.exit(3)
  }
  pid(): number {
    return process.pid
  }
}

/** The process is gone before, while and after it loads the class, or the constructor runs. */
const LOST_WHILE_MADE = ["STATE_LOST", "WORKER_LOST", "DEPLOY_FAILED", "ENV_FAILED", "UNAVAILABLE"]

const running = async (env: string, calls: number) => {
  await until(async () => (await stack.here.env(env).status())?.running === calls, "calls to run")
}
const queued = async (env: string, calls: number) => {
  await until(async () => (await stack.here.env(env).status())?.queued === calls, "calls to wait")
}

describe("kill -9 of the env process in the middle of a method", () => {
  test("loses the call and the instance, on the loop and on a thread; others are made afterwards", async () => {
    const env = stack.here.env("killed")
    const onLoop = await cls(OnLoop).to(env)
    const onThread = await cls(OnThread).to(env)
    const one = await onLoop.getOrCreate("main")
    const two = await onThread.getOrCreate("main")
    await one.add(1)
    await two.async.add(1)
    const calls = [one.sleep(60_000), two.async.sleep(60_000)].map(caught)
    await running("killed", 2)
    const waiting = caught(two.async.add(1))
    await queued("killed", 1)
    sendSignal(await one.pid(), "SIGKILL")
    for (const call of calls) {
      expect(await call).toMatchObject({ code: "WORKER_LOST", ran: "maybe" })
    }
    const error = await waiting
    expect(error).toMatchObject({ code: "STATE_LOST", ran: "no", env: "killed" })
    expect(error.message).toContain("SIGKILL")
    expect(await caught(one.add(1))).toMatchObject({ code: "STATE_LOST", ran: "no" })
    expect(await caught(() => two.add(1))).toMatchObject({ code: "STATE_LOST", ran: "no" })
    expect((await caught(onLoop.get("main"))).code).toBe("NOT_FOUND")
    expect(await (await onLoop.getOrCreate("main")).add(5)).toBe(5)
    expect(await (await onThread.create()).async.add(6)).toBe(6)
    // The old handles stay what they are, now that there is a new instance of the name.
    expect((await caught(one.add(1))).code).toBe("STATE_LOST")
    await one.release()
    expect(await (await onLoop.get("main")).add(1)).toBe(6)
  })

  test("while instances are made ends in an error or in an instance, never in half of one", async () => {
    const env = stack.here.env("churn")
    const onLoop = await cls(OnLoop).to(env)
    const probe = await onLoop.create()
    const pid = await probe.pid()
    const made = Array.from({ length: 30 }, () => onLoop.create())
    sendSignal(pid, "SIGKILL")
    for (const result of await Promise.allSettled(made)) {
      if (result.status === "fulfilled") continue
      expect(LOST_WHILE_MADE).toContain(result.reason.code)
    }
    await env.restart()
    expect(await (await onLoop.create()).add(1)).toBe(1)
    expect((await env.status())?.instances).toBe(1)
  })
})

describe("an instance on a thread", () => {
  test("is lost with a method that exits, and the env goes on", async () => {
    const env = stack.here.env("exits")
    const onThread = await cls(OnThread).to(env)
    const victim = await onThread.create()
    const other = await onThread.create()
    const pid = await other.async.pid()
    expect(await caught(victim.async.exit())).toMatchObject({ code: "WORKER_LOST", ran: "maybe" })
    expect(await caught(victim.async.add(1))).toMatchObject({ code: "STATE_LOST", ran: "no" })
    expect(await other.async.add(1)).toBe(1)
    expect(await other.async.pid()).toBe(pid)
    expect((await env.status())?.instances).toBe(1)
  })

  test("is lost with a call that is cancelled or takes too long; what waited did not run", async () => {
    const env = stack.here.env("spins")
    const onThread = await cls(OnThread).to(env)
    const late = await onThread.create()
    const spinning = caught(late.with({ timeoutMs: 200 }).async.spin())
    const waiting = caught(late.async.add(1))
    expect(await spinning).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe" })
    expect(await waiting).toMatchObject({ code: "STATE_LOST", ran: "no" })
    const cancelled = await onThread.getOrCreate("main")
    const controller = new AbortController()
    const call = caught(cancelled.with({ signal: controller.signal }).async.spin())
    await running("spins", 1)
    controller.abort()
    expect((await call).code).toBe("CANCELLED")
    await until(async () => (await env.status())?.instances === 0, "the instances to be gone")
    expect(await (await onThread.getOrCreate("main")).async.add(1)).toBe(1)
  })

  test("is not lost with a call that is cancelled before its turn", async () => {
    const env = stack.here.env("queue")
    const onThread = await cls(OnThread).to(env)
    const instance = await onThread.create()
    const first = instance.async.sleep(300)
    const error = await caught(instance.with({ timeoutMs: 50 }).async.add(100))
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "no" })
    await first
    expect(await instance.async.add(1)).toBe(1)
  })
})

describe("an instance", () => {
  test("is lost with the restart and the removal of its env", async () => {
    const env = stack.here.env("removed")
    const onLoop = await cls(OnLoop).to(env)
    const first = await onLoop.create()
    await env.restart()
    expect((await caught(first.add(1))).code).toBe("STATE_LOST")
    const second = await onLoop.create()
    const call = caught(second.sleep(60_000))
    await running("removed", 1)
    await env.remove()
    expect((await call).code).toBe("WORKER_LOST")
    expect((await caught(second.add(1))).code).toBe("STATE_LOST")
    expect((await caught(onLoop.create())).code).toBe("NOT_FOUND")
    await second.release().catch(() => {})
    await cls(OnLoop).to(env)
    expect((await caught(second.add(1))).code).toBe("STATE_LOST")
  })

  test("survives the loss of the broker, with its state", async () => {
    await using own = await startStack()
    const onLoop = await cls(OnLoop).to(own.here)
    const onThread = await cls(OnThread).to(own.here)
    const [one, two] = [await onLoop.create(), await onThread.create()]
    await one.add(1)
    await two.async.add(1)
    const call = caught(two.async.sleep(300))
    const inFlight = async () => (await own.here.status()).callsInFlight === 1
    await until(inFlight, "the call to run")
    sendSignal((await own.here.status()).broker.pid, "SIGKILL")
    expect((await call).code).toBe("BROKER_LOST")
    expect(await one.add(1)).toBe(2)
    expect(await two.async.add(1)).toBe(2)
  })

  test("is lost with the daemon", async () => {
    await using own = await startStack()
    const onLoop = await cls(OnLoop).to(own.here)
    const instance = await onLoop.getOrCreate("main")
    await instance.add(1)
    await own.kill()
    await own.startAgain()
    expect((await caught(instance.add(1))).code).toBe("STATE_LOST")
    expect(await (await onLoop.getOrCreate("main")).add(1)).toBe(1)
  })
})
