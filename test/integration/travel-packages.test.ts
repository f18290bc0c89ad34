import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { cls, fn, module } from "../../client/index.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"
import { type Registry, startRegistry } from "../support/registry.ts"
import { type Stack, startStack } from "../support/stack.ts"

let registry: Registry
let stack: Stack
let folder: TemporaryFolder
beforeAll(async () => {
  registry = await startRegistry({
    odd: { "2.0.0": `module.exports = "the env's"`, "3.0.0": `module.exports = "the next"` },
  })
  stack = await startStack({
    variables: { BUN_CONFIG_REGISTRY: registry.url, BUN_CONFIG_TOKEN: "registry-token" },
  })
  folder = temporaryFolder()
  await Bun.write(folder.join("node_modules/odd/package.json"), `{ "name": "odd" }`)
  await Bun.write(folder.join("node_modules/odd/index.js"), `module.exports = "the caller's"`)
  await Bun.write(
    folder.join("jobs.ts"),
    `import odd from "odd"
    export async function whose() { return odd }
    export class Holder { async whose() { return odd } }`,
  )
})
afterAll(async () => {
  await stack[Symbol.asyncDispose]()
  await registry[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

interface Jobs {
  readonly whose: () => Promise<string>
  readonly Holder: new () => { whose(): Promise<string> }
}

describe("a package that a function imports", () => {
  test.each([
    ["with", ["odd@2.0.0"], "the env's"],
    ["without", [], "the caller's"],
  ])("is, in an env %s packages %p, %s own", async (name, packages, said) => {
    const env = stack.here.env(name, { packages })
    const { whose, Holder }: Jobs = await import(folder.join("jobs.ts"))
    const remote = await fn(whose).to(env)
    expect(await remote()).toBe(said)
    const RemoteHolder = await cls(Holder).to(env)
    await using holder = await RemoteHolder.create()
    expect(await holder.whose()).toBe(said)
    const jobs = await module<Pick<Jobs, "whose">>(folder.join("jobs.ts")).to(env)
    expect(await jobs.whose()).toBe(said)
  })

  test("is that of each env, in two envs with two versions of it", async () => {
    const { whose }: Jobs = await import(folder.join("jobs.ts"))
    const two = await fn(whose).to(stack.here.env("two", { packages: ["odd@2.0.0"] }))
    const three = await fn(whose).to(stack.here.env("three", { packages: ["odd@3.0.0"] }))
    expect(await Promise.all([two(), three()])).toEqual(["the env's", "the next"])
    expect(three.info.version).toBe(two.info.version)
  })

  test("is the env's own also where only the name of the env is known", async () => {
    await stack.here.env("elsewhere", { packages: ["odd@3.0.0"] }).ready()
    const env = stack.connect().env("elsewhere")
    const { whose, Holder }: Jobs = await import(folder.join("jobs.ts"))
    expect(await (await fn(whose).to(env))()).toBe("the next")
    await using holder = await (await cls(Holder).to(env)).create()
    expect(await holder.whose()).toBe("the next")
    const jobs = await module<Pick<Jobs, "whose">>(folder.join("jobs.ts")).to(env)
    expect(await jobs.whose()).toBe("the next")
  })
})
