import { beforeEach, describe, expect, test } from "bun:test"
import { type EnvSpecInput, readEnvSpec } from "../../../protocol/env-spec.ts"
import { BunhouseError } from "../../../protocol/errors.ts"
import { ENV_RETIRED_MAX } from "../../../protocol/limits.ts"
import { FunctionRoute } from "../../../server/calls/route.ts"
import { Env } from "../../../server/envs/env.ts"
import { caught } from "../../support/caught.ts"
import { FakeLife } from "../../support/fake-life.ts"
import { until } from "../../support/until.ts"

let lives: FakeLife[]
/** What the env told the daemon, in order. */
let told: string[]
let env: Env
let loadFails: Error | undefined
let tidied: (ReadonlySet<string> | undefined)[]
let committed: number
const commit = () => {
  committed++
  return Promise.resolve()
}
const gone = new BunhouseError("NOT_FOUND", "removed")

beforeEach(() => {
  lives = []
  told = []
  tidied = []
  committed = 0
  loadFails = undefined
  env = new Env("lab", specOf({ threads: { max: 2 } }), {
    prepare: ({ spec }) => {
      const folder = `/build/${spec.packages["is-odd"] ?? "none"}`
      return Promise.resolve({ folder, cwd: folder })
    },
    tidy: (_env, inUse) => {
      setImmediate(() => tidied.push(inUse()))
      return Promise.resolve()
    },
    start: (_env, spec, { folder }) => {
      const started = new FakeLife(spec.threads.max, folder)
      lives.push(started)
      return started
    },
    loadVersion: (_env, process, info) => {
      told.push(`load ${info.name} into ${lives.findIndex((each) => each === process)}`)
      return loadFails === undefined ? Promise.resolve(100) : Promise.reject(loadFails)
    },
    load: () => Promise.resolve(),
    loaded: (route, index) => void (route.index = index),
    lost: (process) => void told.push(`lost ${lives.findIndex((each) => each === process)}`),
    unloaded: () => void told.push("unloaded"),
    instancesLost: () => void told.push("instances lost"),
    refused: (_env, error) => void told.push(`refused: ${error.code}`),
    resume: () => {},
    replace: () => Promise.resolve(),
    log: () => {},
  })
})

function specOf(input: EnvSpecInput) {
  return readEnvSpec("lab", { threads: { max: 2 }, ...input })
}

async function life(count: number): Promise<FakeLife> {
  return until(() => (lives.length === count ? lives[count - 1] : undefined), `life ${count}`)
}

async function becomeReady(): Promise<FakeLife> {
  const ready = env.ready()
  const current = await life(lives.length + 1)
  current.hello()
  await ready
  return current
}

/** Changes the spec to one that needs another process, which is ready at once. */
async function replace(version: string): Promise<FakeLife> {
  const count = lives.length + 1
  const changed = env.change(specOf({ packages: { "is-odd": version } }), commit)
  const next = await life(count)
  next.hello()
  await changed
  return next
}

function addRoute(name: string, index?: number): FunctionRoute {
  const info = { env: "lab", name, kind: "async", run: "loop", version: "1" } as const
  const route = new FunctionRoute(env, info)
  route.index = index
  env.functions.set(name, route)
  return route
}

describe("env.change()", () => {
  test("of limits changes them at once, in the process that is there", async () => {
    const current = await becomeReady()
    await env.change(
      specOf({ concurrency: 5, threads: { max: 1 }, queue: 3, memoryMiB: 99 }),
      commit,
    )
    expect(env.lanes.loop.limit).toBe(5)
    expect(env.lanes.thread.limit).toBe(1)
    expect(env.spec.queue).toBe(3)
    expect(current.memoryMiB).toBe(99)
    expect([lives.length, committed, env.link]).toEqual([1, 1, current])
  })

  test("to more threads than the process has takes another one", async () => {
    await becomeReady()
    const changed = env.change(specOf({ threads: { max: 9 } }), commit)
    ;(await life(2)).hello()
    await changed
    expect(env.lanes.thread.limit).toBe(9)
  })

  test("of an env that does not run starts nothing", async () => {
    await env.change(specOf({ packages: { "is-odd": "1.0.0" } }), commit)
    expect([env.state, lives.length, committed]).toEqual(["stopped", 0, 1])
    expect((await becomeReady()).folder).toBe("/build/1.0.0")
  })

  test("lets the old process serve until the new one is ready and has its functions (E5)", async () => {
    const old = await becomeReady()
    const [f, unused] = [addRoute("f", 3), addRoute("unused")]
    const changed = env.change(specOf({ vars: { MODE: "new" } }), commit)
    const next = await life(2)
    expect([env.link, committed]).toEqual([old, 0])
    next.hello()
    await changed
    expect(told.slice(0, 2)).toEqual(["load f into 1", "instances lost"])
    expect([env.link, committed, f.index, unused.index]).toEqual([next, 1, 100, undefined])
    expect(env.spec.vars).toEqual({ MODE: "new" })
    expect(env.crashes).toBe(0)
  })

  test("ends the old process once nobody waits for its calls, and not before", async () => {
    const old = await becomeReady()
    old.awaited = 1
    await replace("1.0.0")
    expect([old.wasStopped, env.retiring]).toEqual([false, 1])
    old.awaited = 0
    env.finished(old)
    await until(() => env.retiring === 0, "the end of the old process")
    // What it still had is lost, and nothing of the new one is unloaded.
    expect(told).toEqual(["instances lost", "lost 0"])
    expect(env.state).toBe("ready")
  })

  test("ends an old process without calls at once", async () => {
    const old = await becomeReady()
    await replace("1.0.0")
    expect(old.wasStopped).toBe(true)
    await until(() => env.retiring === 0, "the end of the old process")
  })

  test("keeps at most so many old processes, whatever calls they have (Y1)", async () => {
    ;(await becomeReady()).awaited = 1
    for (let i = 1; i <= ENV_RETIRED_MAX + 1; i++) (await replace(`${i}.0.0`)).awaited = 1
    await until(() => env.retiring === ENV_RETIRED_MAX, "the end of the oldest")
    expect(lives.map(({ wasStopped }) => wasStopped)).toEqual([
      true,
      ...Array.from({ length: ENV_RETIRED_MAX + 1 }, () => false),
    ])
  })

  test("tells which folders are in use", async () => {
    const old = await becomeReady()
    old.awaited = 1
    await replace("1.0.0")
    await until(() => tidied.at(-1)?.has("/build/1.0.0"), "the tidying")
    expect(tidied.at(-1)).toEqual(new Set(["/build/none", "/build/1.0.0"]))
    env.finished(old)
    await until(() => tidied.at(-1)?.size === 1, "the next tidying")
  })
})

describe("env.change() that fails", () => {
  test.each<[string, (next: FakeLife) => void, string]>([
    ["to start", (next) => next.exit("exit code 1"), "exit code 1"],
    [
      "to load a function",
      (next) => {
        loadFails = new BunhouseError("DEPLOY_FAILED", "no such export")
        next.hello()
      },
      "no such export",
    ],
  ])("%s leaves everything as it was, and nothing is written down (E5)", async (_, act, reason) => {
    const old = await becomeReady()
    const route = addRoute("f", 3)
    const { spec } = env
    const changed = env.change(specOf({ bunArgs: ["--smol"] }), commit)
    act(await life(2))
    const error = await caught(changed)
    expect(error.message).toContain(reason)
    expect(error.message).toContain("stays as it was")
    expect([env.link, env.spec, route.index, committed]).toEqual([old, spec, 3, 0])
    expect(lives[1]?.wasKilled).toBe(true)
    expect(env.crashes).toBe(0)
  })

  test("to be written down leaves everything as it was", async () => {
    const old = await becomeReady()
    const { spec } = env
    const away = new BunhouseError("UNAVAILABLE", "the store is away")
    const changed = env.change(specOf({ bunArgs: ["--smol"] }), () => Promise.reject(away))
    ;(await life(2)).hello()
    expect(await caught(changed)).toBe(away)
    expect([env.link, env.spec]).toEqual([old, spec])
    expect(lives[1]?.wasKilled).toBe(true)
  })
})

describe("env.change() while", () => {
  test("the old process crashes takes over from whatever is there", async () => {
    const old = await becomeReady()
    const changed = env.change(specOf({ bunArgs: ["--smol"] }), commit)
    const next = await life(2)
    old.exit("SIGKILL")
    const again = await life(3)
    next.hello()
    await changed
    expect(env.link).toBe(next)
    expect(again.wasStopped).toBe(true)
    expect(await env.ready()).toBe(next)
  })

  test("the env is restarted comes after the restart", async () => {
    const old = await becomeReady()
    old.endsBy = undefined
    const restart = env.restart()
    const changed = env.change(specOf({ bunArgs: ["--smol"] }), commit)
    old.exit("exit code 0")
    ;(await life(2)).hello()
    await restart
    const next = await life(3)
    next.hello()
    await changed
    expect(env.link).toBe(next)
  })

  test("a call starts the env starts it with one spec or the other, never with a mixture (E6)", async () => {
    const gate = Promise.withResolvers<void>()
    const changed = env.change(specOf({ packages: { "is-odd": "1.0.0" } }), () => gate.promise)
    const ready = env.ready()
    await Bun.sleep(1)
    expect(lives).toHaveLength(0)
    gate.resolve()
    const current = await life(1)
    current.hello()
    expect(await ready).toBe(current)
    await changed
    expect(current.folder).toBe("/build/1.0.0")
  })

  test("the env is closed ends both processes (E4)", async () => {
    const old = await becomeReady()
    const changed = env.change(specOf({ bunArgs: ["--smol"] }), commit)
    const next = await life(2)
    await env.close(gone, 0)
    expect([old.wasStopped, next.wasStopped]).toEqual([true, true])
    expect((await caught(changed)).message).toContain("exit code 0")
    expect(committed).toBe(0)
  })
})
