import { beforeEach, describe, expect, test } from "bun:test"
import { readEnvSpec } from "../../../protocol/env-spec.ts"
import { BunhouseError } from "../../../protocol/errors.ts"
import { ENV_CRASHES_MAX } from "../../../protocol/limits.ts"
import { FunctionRoute } from "../../../server/calls/route.ts"
import { Env } from "../../../server/envs/env.ts"
import { envStatus } from "../../../server/envs/env-status.ts"
import type { EnvParts } from "../../../server/envs/parts.ts"
import { caught } from "../../support/caught.ts"
import { FakeLife } from "../../support/fake-life.ts"
import { until } from "../../support/until.ts"

let lives: FakeLife[]
/** What the env told the daemon, in order. */
let told: string[]
let env: Env
let startFails: Error | undefined
/** What preparing does; by default there is nothing to do. */
let prepare: EnvParts["prepare"]
let loadFails: Error | undefined

beforeEach(() => {
  lives = []
  told = []
  startFails = undefined
  loadFails = undefined
  prepare = () => Promise.resolve({ folder: "/nowhere", cwd: "/nowhere" })
  const parts: EnvParts = {
    prepare: (preparation) => prepare(preparation),
    tidy: () => Promise.resolve(),
    start: (_env, spec) => {
      if (startFails !== undefined) throw startFails
      const started = new FakeLife(spec.threads.max)
      lives.push(started)
      return started
    },
    load: (_env, process, route) => {
      told.push(`load ${route.info.name} into ${lives.findIndex((each) => each === process)}`)
      return Promise.resolve()
    },
    loadVersion: (_env, process, info) => {
      told.push(`load ${info.name} into ${lives.findIndex((each) => each === process)}`)
      return loadFails === undefined ? Promise.resolve(100) : Promise.reject(loadFails)
    },
    loaded: (route, index) => void (route.index = index),
    lost: (_process, reason) => void told.push(`lost: ${reason}`),
    unloaded: () => void told.push("unloaded"),
    instancesLost: () => void told.push("instances lost"),
    refused: (_env, error) => void told.push(`refused: ${error.code}`),
    resume: () => void told.push("resume"),
    replace: () => Promise.resolve(),
    log: () => {},
  }
  env = new Env("lab", readEnvSpec("lab", { threads: { max: 2 } }), parts)
})

/** The life that is under way, once there are `count`. */
async function life(count: number): Promise<FakeLife> {
  return until(() => (lives.length === count ? lives[count - 1] : undefined), `life ${count}`)
}

async function becomeReady(count = 1): Promise<FakeLife> {
  const ready = env.ready()
  const current = await life(count)
  current.hello()
  await ready
  return current
}

function addRoute(name: string): FunctionRoute {
  const info = { env: "lab", name, kind: "async", run: "loop", version: "1" } as const
  const route = new FunctionRoute(env, info)
  env.functions.set(name, route)
  return route
}

const gone = new BunhouseError("NOT_FOUND", "removed")

describe("an env", () => {
  test("starts when it is needed, and has a link from its process's hello on (E1, E2)", async () => {
    expect(env.state).toBe("stopped")
    const ready = env.ready()
    expect(env.state).toBe("starting")
    expect(env.link).toBeUndefined()
    const current = await life(1)
    current.hello()
    expect(await ready).toBe(current)
    expect(env.link).toBe(current)
    expect(envStatus(env)).toMatchObject({ state: "ready", pid: current.pid, crashes: 0 })
  })

  test("starts one process for all who need it at once (E1)", async () => {
    env.load(addRoute("f"))
    const all = [env.ready(), env.ready()]
    const current = await life(1)
    current.hello()
    expect(await Promise.all(all)).toEqual([current, current])
    expect(lives).toHaveLength(1)
  })

  test("has no link while its process cannot be reached, and takes up what waits when it can", async () => {
    const current = await becomeReady()
    const route = addRoute("f")
    current.isReachable = false
    expect(env.link).toBeUndefined()
    env.load(route)
    expect(told).toEqual([])
    current.isReachable = true
    env.cameBack(current)
    expect(told).toEqual(["resume"])
    expect(env.link).toBe(current)
  })

  test("comes back after a crash, its functions unloaded before the loss is told (E3)", async () => {
    const first = await becomeReady()
    const route = addRoute("f")
    route.index = 3
    const seen: unknown[] = []
    told.push = (...lines: string[]) => seen.push(...lines, route.index)
    first.exit("SIGSEGV")
    const second = await life(2)
    expect(seen.slice(0, 2)).toEqual([
      "lost: the env process was lost during the call (SIGSEGV)",
      undefined,
    ])
    expect(seen[2]).toBe("unloaded")
    second.hello()
    expect(await env.ready()).toBe(second)
    expect(env.crashes).toBe(1)
  })

  test("that is too slow to start is ended, and counts as crashed", async () => {
    const ready = env.ready()
    const slow = await life(1)
    slow.isReachable = false
    slow.exit("SIGKILL")
    const second = await life(2)
    second.hello()
    expect(await ready).toBe(second)
    expect(env.crashes).toBe(1)
  })

  test("gives up after too many crashes, says why, and recovers when it is asked for", async () => {
    void env.ready().catch(() => {})
    for (let crash = 1; crash <= ENV_CRASHES_MAX; crash++) (await life(crash)).exit("exit code 9")
    await until(() => env.state === "failed", "the env to fail")
    expect(told.filter((line) => line.startsWith("refused"))).toEqual(["refused: ENV_FAILED"])
    expect(env.refusal?.message).toContain("exit code 9")
    expect(env.reason).toContain("exit code 9")
    await becomeReady(ENV_CRASHES_MAX + 1)
    expect(env.refusal).toBeUndefined()
    expect(env.crashes).toBe(0)
  })

  test("whose process cannot even be started says why, and tries again like after a crash", async () => {
    startFails = new Error("no more processes")
    const ready = env.ready()
    await until(() => env.reason?.includes("no more processes"), "the reason")
    startFails = undefined
    const first = await life(1)
    first.hello()
    expect(await ready).toBe(first)
    expect(env.crashes).toBeGreaterThan(0)
  })
})

describe("env.restart()", () => {
  test("refuses what waits, ends the process and starts another; who asks meanwhile gets the same one", async () => {
    await becomeReady()
    const all = [env.restart(), env.restart()]
    expect(env.refusal).toMatchObject({ code: "UNAVAILABLE" })
    ;(await life(2)).hello()
    await Promise.all(all)
    expect(told[0]).toBe("refused: UNAVAILABLE")
    expect(lives).toHaveLength(2)
    expect(env.state).toBe("ready")
  })

  test("lets who needs the env wait for the new process", async () => {
    const first = await becomeReady()
    first.endsBy = undefined
    const restart = env.restart()
    const ready = env.ready()
    first.exit("exit code 0")
    const second = await life(2)
    second.hello()
    expect(await ready).toBe(second)
    await restart
  })

  test("forgets crashes, and does not wait for a restart that was put off", async () => {
    const first = await becomeReady()
    first.exit("SIGKILL")
    ;(await life(2)).exit("SIGKILL")
    await until(() => env.state === "waiting to restart", "the wait after the second crash")
    const restart = env.restart()
    ;(await life(3)).hello()
    await restart
    expect(env.crashes).toBe(0)
    expect(lives).toHaveLength(3)
  })
})

describe("env.close()", () => {
  test("is for good: neither a deploy nor a restart nor a timer starts it again (E4)", async () => {
    const first = await becomeReady()
    first.exit("SIGKILL")
    ;(await life(2)).exit("SIGKILL")
    await until(() => env.state === "waiting to restart", "the wait after the second crash")
    await env.close(gone, 0)
    expect(await caught(env.ready())).toBe(gone)
    expect(await caught(env.restart())).toBe(gone)
    env.load(addRoute("f"))
    await Bun.sleep(250) // longer than the wait for the restart would have been
    expect(lives).toHaveLength(2)
    expect(env.refusal).toBe(gone)
  })

  test("wins over a restart that is under way (E4)", async () => {
    const first = await becomeReady()
    first.endsBy = undefined
    const restart = env.restart()
    const close = env.close(gone, 0)
    first.exit("exit code 0")
    await close
    expect(await caught(restart)).toBe(gone)
    expect(lives).toHaveLength(1)
  })

  test("ends a process that is starting, and whoever waits for it", async () => {
    const ready = env.ready()
    await life(1)
    await env.close(gone, 0)
    expect(await caught(ready)).toBe(gone)
    expect(env.link).toBeUndefined()
  })

  test("counts as no crash, and may be called again", async () => {
    await becomeReady()
    await Promise.all([env.close(gone, 0), env.close(gone, 0)])
    await env.close(gone, 0)
    expect(env.crashes).toBe(0)
  })
})

describe("an env that is prepared", () => {
  test("is installing while something takes its time, and starts in what was made", async () => {
    const gate = Promise.withResolvers<void>()
    prepare = async ({ report }) => {
      report("installing 3 packages")
      await gate.promise
      return { folder: "/built", cwd: "/built" }
    }
    const ready = env.ready()
    await until(() => env.state === "installing", "the installation")
    expect(envStatus(env)).toMatchObject({ activity: "installing 3 packages" })
    gate.resolve()
    const current = await life(1)
    expect(env.state).toBe("starting")
    current.hello()
    await ready
    expect(envStatus(env).activity).toBeUndefined()
  })

  test("and cannot be is failed with the reason at once, until it is asked for again", async () => {
    const failure = new BunhouseError("ENV_FAILED", "no such package")
    prepare = () => Promise.reject(failure)
    expect(await caught(env.ready())).toBe(failure)
    expect([env.state, env.reason, env.refusal]).toEqual(["failed", "no such package", failure])
    expect(told).toEqual(["refused: ENV_FAILED"])
    prepare = () => Promise.resolve({ folder: "/built", cwd: "/built" })
    await becomeReady()
  })

  test("gives the preparation up when it is closed", async () => {
    prepare = async ({ signal }) => {
      await new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason))
      })
      return { folder: "/built", cwd: "/built" }
    }
    const ready = env.ready()
    await env.close(gone, 0)
    expect(await caught(ready)).toBe(gone)
    expect(lives).toHaveLength(0)
  })
})
