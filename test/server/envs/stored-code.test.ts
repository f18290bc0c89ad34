import { expect, test } from "bun:test"
import { Dispatcher } from "../../../server/calls/dispatcher.ts"
import { Loader } from "../../../server/envs/loader.ts"
import { Registry } from "../../../server/envs/registry.ts"
import { FakeLife } from "../../support/fake-life.ts"
import { partsOf } from "../../support/fake-parts.ts"
import { temporaryFolder } from "../../support/folder.ts"
import { StoredCode } from "../../../server/envs/stored-code.ts"
import { caught } from "../../support/caught.ts"
import { BunhouseError } from "../../../protocol/errors.ts"
import { FakeStore } from "../../support/fake-store.ts"
import { until } from "../../support/until.ts"

const KEPT_MS = 20

/** A store, the code in it, and the versions that records name. */
function open(...versions: readonly string[]) {
  const store = new FakeStore()
  for (const version of versions) store.texts.set(version, `code of ${version}`)
  const named = new Set<string>()
  const logged: string[] = []
  const code = new StoredCode({
    store: store.code,
    named: () => named,
    log: (event) => void logged.push(event),
    keptMs: KEPT_MS,
  })
  const has = (...expected: string[]) => [...store.texts.keys()].join() === expected.join()
  return { store, named, code, logged, has }
}

async function deploy({ code, named }: ReturnType<typeof open>, version: string): Promise<void> {
  using _held = await code.hold(version, version)
  named.add(version)
}

test("code that was replaced is deleted a while later, and what is named stays", async () => {
  const lab = open()
  await deploy(lab, "v1")
  await deploy(lab, "v2")
  lab.named.delete("v1")
  lab.code.left("v1")
  expect(lab.has("v1", "v2")).toBe(true)
  await until(() => lab.has("v2"), "the old code to be gone")
  await Bun.sleep(3 * KEPT_MS)
  expect(lab.has("v2")).toBe(true)
})

test("code of a deploy that failed is deleted, by its load or by the store", async () => {
  const lab = open()
  {
    using _held = await lab.code.hold("v1", "throws")
  }
  expect(lab.has("v1")).toBe(true)
  await until(() => lab.has(), "the code to be gone")
  lab.store.hold = () => Promise.reject(new BunhouseError("UNAVAILABLE", "away"))
  expect((await caught(lab.code.hold("v2", "x"))).code).toBe("UNAVAILABLE")
  lab.store.hold = () => Promise.resolve()
  await until(() => lab.store.done.includes("code.delete"), "what may be there to be deleted")
})

test("code of a deploy that is under way stays, however long it takes", async () => {
  const lab = open("v1")
  lab.code.left("v1")
  {
    using _first = await lab.code.hold("v1", "again")
    {
      using _second = await lab.code.hold("v1", "again")
    }
    await Bun.sleep(4 * KEPT_MS)
    expect(lab.has("v1")).toBe(true)
  }
  await until(() => lab.has(), "it to be gone in the end")
})

test("a deploy that begins while its code is being deleted finds it kept", async () => {
  const lab = open("v1")
  const { promise, resolve } = Promise.withResolvers<void>()
  let isDeleting = false
  lab.store.hold = async (operation) => {
    if (operation !== "code.delete") return
    isDeleting = true
    await promise
  }
  lab.code.left("v1")
  await until(() => isDeleting, "the deletion to begin")
  using _held = await lab.code.hold("v1", "code of v1")
  resolve()
  await until(() => lab.store.done.includes("code.delete"), "the deletion to end")
  expect(lab.has("v1")).toBe(true)
})

test("what an earlier daemon left is swept, once, and not after a stop", async () => {
  const lab = open("v1", "v2", "v3")
  lab.named.add("v2")
  lab.code.sweepLater()
  await until(() => lab.has("v2"), "the others to be gone")
  lab.store.texts.set("v4", "x")
  lab.code.left("v4")
  lab.code.stop()
  await Bun.sleep(3 * KEPT_MS)
  expect(lab.has("v2", "v4")).toBe(true)
})

test("a store that is away is told, and asked again for what is left next", async () => {
  const lab = open("v1", "v2")
  lab.store.hold = () => Promise.reject(new BunhouseError("UNAVAILABLE", "away"))
  lab.code.left("v1")
  await until(() => lab.logged.includes("code not swept"), "the failure to be told")
  lab.store.hold = () => Promise.resolve()
  lab.code.left("v2")
  await until(() => lab.has("v1"), "the next to be gone")
})

test("code goes with the last function that has it", async () => {
  using folder = temporaryFolder()
  const store = new FakeStore()
  const dispatcher = new Dispatcher("boot")
  const loader = new Loader({ codeOf: (version) => store.code.get(version), dispatcher })
  const start = (env: { readonly name: string }) => {
    const life = new FakeLife(4, folder.join(env.name))
    life.hello()
    return life
  }
  const parts = partsOf(dispatcher, loader, { start })
  const registry = new Registry({ store, dispatcher, loader, parts, codeKeptMs: KEPT_MS })
  const send = (name: string, result: number, env = "lab") => {
    const code = `export default async () => ${result}`
    return registry.deploy({ env, name, kind: "async", run: "loop", code }, 1_000)
  }
  await send("f", 1)
  const { info } = await send("g", 1, "other")
  await send("f", 2)
  await registry.removeFunction("lab", "f")
  await send("h", 3)
  await registry.removeEnv("lab")
  await until(() => store.texts.size === 1, "all other code to be gone")
  await Bun.sleep(3 * KEPT_MS)
  expect([...store.texts.keys()]).toEqual([info.version])
  await registry.removeEnv("other")
  await until(() => store.texts.size === 0, "the last to be gone")
})
