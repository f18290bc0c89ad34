import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { readEnvSpec } from "../../../protocol/env-spec.ts"
import { BunhouseError } from "../../../protocol/errors.ts"
import type { FunctionSpec } from "../../../protocol/function-spec.ts"
import { Dispatcher } from "../../../server/calls/dispatcher.ts"
import { Loader } from "../../../server/envs/loader.ts"
import type { EnvParts } from "../../../server/envs/parts.ts"
import { Registry } from "../../../server/envs/registry.ts"
import { caught } from "../../support/caught.ts"
import { FakeLife } from "../../support/fake-life.ts"
import { partsOf } from "../../support/fake-parts.ts"
import { FakeStore } from "../../support/fake-store.ts"
import { type TemporaryFolder, temporaryFolder } from "../../support/folder.ts"
import { until } from "../../support/until.ts"

let folder: TemporaryFolder
let store: FakeStore
let lives: FakeLife[]
let registry: Registry
/** What preparing an env on the disk does. */
let prepare: EnvParts["prepare"]

beforeEach(() => {
  prepare = () => Promise.resolve({ folder: folder.path, cwd: folder.path })
  folder = temporaryFolder()
  store = new FakeStore()
  lives = []
  registry = makeRegistry()
})
afterEach(() => folder[Symbol.dispose]())

function makeRegistry(): Registry {
  const dispatcher = new Dispatcher("boot")
  const loader = new Loader({
    codeOf: (version) => store.code.get(version),
    dispatcher,
  })
  return new Registry({
    store,
    dispatcher,
    loader,
    parts: partsOf(dispatcher, loader, {
      prepare: (preparation) => prepare(preparation),
      start: (env) => {
        const life = new FakeLife(4, folder.join(env.name))
        lives.push(life)
        life.hello()
        return life
      },
    }),
  })
}

function specOf(name: string, code = "1", env = "lab"): FunctionSpec {
  return { env, name, kind: "async", run: "loop", code: `export default async () => ${code}` }
}

function deploy(name: string, code?: string, env?: string) {
  return registry.deploy(specOf(name, code, env), 1_000)
}

/** Holds back operations of the store whose name begins with `prefix`, until the returned function is called. */
function holdBack(prefix: string): { readonly isHeld: () => boolean; release(): void } {
  const gate = Promise.withResolvers<void>()
  let isHeld = false
  store.hold = (operation) => {
    if (!operation.startsWith(prefix)) return Promise.resolve()
    isHeld = true
    return gate.promise
  }
  return { isHeld: () => isHeld, release: () => gate.resolve() }
}

describe("Registry.deploy()", () => {
  test("makes the env, loads the code, writes it down, and only then switches (R1, R2)", async () => {
    const { info, changed } = await deploy("f")
    expect(changed).toBe(true)
    expect(registry.route("lab", "f")).toMatchObject({ index: 0, info })
    expect(store.records.get("lab/f")).toEqual(info)
    expect(store.done).toEqual(["envs.put lab", "code.put", "code.get", "functions.put lab/f"])
    expect(await Bun.file(lives[0]?.loads[0]?.path ?? "").text()).toContain("=> 1")
  })

  test("of the very version that is there changes nothing", async () => {
    await deploy("f")
    const before = store.done.length
    expect(await deploy("f")).toMatchObject({ changed: false })
    expect(store.done.length).toBe(before)
    expect(lives[0]?.loads).toHaveLength(1)
  })

  test("that fails to load leaves the old version serving, in memory and in the store (R1)", async () => {
    const { info } = await deploy("f")
    const [life] = lives
    if (life !== undefined) {
      life.onLoad = () => Promise.reject(new BunhouseError("DEPLOY_FAILED", "syntax"))
    }
    expect(await caught(deploy("f", "2"))).toMatchObject({ code: "DEPLOY_FAILED" })
    expect(registry.route("lab", "f")).toMatchObject({ info, index: 0 })
    expect(store.records.get("lab/f")).toEqual(info)
  })

  test("that cannot be written down leaves the old version serving (R2)", async () => {
    const { info } = await deploy("f")
    store.hold = (operation) =>
      operation.startsWith("functions.put")
        ? Promise.reject(new BunhouseError("UNAVAILABLE", "the store is away"))
        : Promise.resolve()
    expect(await caught(deploy("f", "2"))).toMatchObject({ code: "UNAVAILABLE" })
    expect(registry.route("lab", "f").info).toEqual(info)
  })

  test("many times at once ends with the version that was asked for last (R3)", async () => {
    const codes = Array.from({ length: 20 }, (_, i) => String(i))
    const results = await Promise.all(codes.map((code) => deploy("f", code)))
    const { info } = registry.route("lab", "f")
    expect(results.at(-1)?.info).toEqual(info)
    expect(store.records.get("lab/f")).toEqual(info)
  })

  test("does not wait for another function's deploy", async () => {
    await deploy("quick")
    const never = Promise.withResolvers<void>()
    const [life] = lives
    if (life !== undefined) {
      life.onLoad = ({ name }) => (name === "slow" ? never.promise : Promise.resolve())
    }
    const slow = deploy("slow")
    expect(await deploy("quick", "2")).toMatchObject({ changed: true })
    never.resolve()
    await slow
  })

  test("whose process dies after it has loaded is loaded again by the next one that needs it", async () => {
    const held = holdBack("functions.put")
    const deployed = deploy("f")
    await until(held.isHeld, "the code to be loaded")
    lives[0]?.exit("SIGKILL")
    await until(() => registry.env("lab").link === lives[1], "the next process")
    held.release()
    expect(await deployed).toMatchObject({ changed: true })
    expect(registry.route("lab", "f").index).toBeUndefined()
  })

  test("whose process dies while it loads is refused", async () => {
    await deploy("f")
    const [life] = lives
    if (life !== undefined) {
      life.onLoad = () => Promise.reject(new BunhouseError("DEPLOY_FAILED", "the process ended"))
    }
    expect(await caught(deploy("f", "2"))).toMatchObject({ code: "DEPLOY_FAILED" })
  })

  test("with the code of another function loads it on its own", async () => {
    await deploy("f")
    await deploy("g")
    expect(lives[0]?.loads.map(({ index }) => index)).toEqual([0, 1])
    expect(lives[0]?.loads[0]?.path).toBe(lives[0]?.loads[1]?.path ?? "")
  })
})

describe("Registry.removeEnv()", () => {
  test("ends the env and forgets it, in memory and in the store", async () => {
    await deploy("f")
    const route = registry.route("lab", "f")
    await registry.removeEnv("lab")
    expect(registry.find("lab", "f")).toBeUndefined()
    expect(route.isRemoved).toBe(true)
    expect(store.specs.size + store.records.size).toBe(0)
    expect((await lives[0]?.exited)?.how).toBe("exit code 0")
  })

  test("twice at once does it once, and says so to the second", async () => {
    await deploy("f")
    const [first, second] = await Promise.allSettled([
      registry.removeEnv("lab"),
      registry.removeEnv("lab"),
    ])
    expect(first.status).toBe("fulfilled")
    expect(second).toMatchObject({ status: "rejected", reason: { code: "NOT_FOUND" } })
  })

  test("twice at once with a new env in between leaves nothing of either", async () => {
    await deploy("f")
    await Promise.allSettled([
      registry.removeEnv("lab"),
      registry.putEnv("lab", readEnvSpec("lab", {})),
      registry.removeEnv("lab"),
    ])
    expect([...registry.envs]).toEqual([])
    expect(store.specs.size).toBe(0)
  })

  test.each([["code.put"], ["code.get"], ["functions.put lab/g"]])(
    "during a deploy that is at %p leaves nothing of it (R4)",
    async (operation) => {
      await deploy("f")
      const held = holdBack(operation)
      const late = deploy("g", "2")
      await until(held.isHeld, "the deploy to be under way")
      const removed = registry.removeEnv("lab")
      await until(() => registry.find("lab", "f") === undefined, "the env to be gone")
      held.release()
      expect(await caught(late)).toMatchObject({ code: "NOT_FOUND" })
      await removed
      expect(store.records.size).toBe(0)
      expect([...registry.envs]).toEqual([])
    },
  )

  test("while its records are deleted takes along what a deploy adds (R4)", async () => {
    await deploy("f")
    const held = holdBack("functions.delete lab/f")
    const removed = registry.removeEnv("lab")
    await until(held.isHeld, "the removal to be under way")
    await deploy("g")
    held.release()
    await removed
    expect(store.records.size).toBe(0)
  })

  test("that the store refuses leaves the env as it was", async () => {
    await deploy("f")
    store.hold = () => Promise.reject(new BunhouseError("UNAVAILABLE", "the store is away"))
    expect(await caught(registry.removeEnv("lab"))).toMatchObject({ code: "UNAVAILABLE" })
    expect(registry.route("lab", "f").isRemoved).toBe(false)
    expect(registry.env("lab").state).toBe("ready")
  })

  test("is followed by a new env of the same name that has its own functions", async () => {
    await deploy("f")
    const [old] = lives
    if (old !== undefined) old.endsBy = undefined
    const removed = registry.removeEnv("lab")
    await until(() => registry.find("lab", "f") === undefined, "the env to be gone")
    const again = deploy("f", "2")
    old?.exit("exit code 0")
    await removed
    expect(await again).toMatchObject({ changed: true })
    expect(registry.route("lab", "f").env).toBe(registry.env("lab"))
    expect(lives).toHaveLength(2)
  })
})

describe("Registry.removeFunction()", () => {
  test("forgets it, in memory and in the store; sending it again brings it back", async () => {
    await deploy("f")
    await registry.removeFunction("lab", "f")
    expect(await caught(async () => registry.route("lab", "f"))).toMatchObject({
      code: "NOT_FOUND",
    })
    expect(store.records.size).toBe(0)
    expect(await deploy("f")).toMatchObject({ changed: true })
  })
})

describe("Registry.restore()", () => {
  test("finds envs and functions again, and loads nothing before it is needed", async () => {
    await registry.putEnv("lab", readEnvSpec("lab", { concurrency: 3 }))
    const { info } = await deploy("f")
    registry = makeRegistry()
    await registry.restore(() => {})
    expect(registry.env("lab")).toMatchObject({ state: "stopped", spec: { concurrency: 3 } })
    expect(registry.route("lab", "f")).toMatchObject({ info, index: undefined })
    expect(lives).toHaveLength(1)
  })

  test("leaves out what cannot be read, says so, and keeps the rest", async () => {
    await deploy("f")
    store.specs.set("odd", { concurrency: -1 })
    store.records.set("lab/odd", { env: "lab", name: "../odd" })
    const problems: string[] = []
    registry = makeRegistry()
    await registry.restore((line) => problems.push(line))
    expect(problems).toHaveLength(2)
    expect(problems.join("\n")).toContain("concurrency")
    expect(registry.route("lab", "f").info.name).toBe("f")
  })
})

describe("Registry.close()", () => {
  test("ends all envs; nothing starts or changes after it (E4)", async () => {
    await deploy("f")
    const closed = new BunhouseError("UNAVAILABLE", "stopping")
    await registry.close(closed, 0)
    expect(await caught(deploy("g"))).toBe(closed)
    expect(await caught(registry.env("lab").ready())).toBe(closed)
    expect(await caught(registry.putEnv("new", readEnvSpec("new", {})))).toBe(closed)
    expect(lives).toHaveLength(1)
  })
})
