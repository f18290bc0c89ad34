import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { existsSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { type Env, fn } from "../../client/index.ts"
import { setQuiet } from "../../client/notices.ts"
import { caught } from "../support/caught.ts"
import { descendants } from "../support/processes.ts"
import { type Registry, startRegistry } from "../support/registry.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

const VERSION = (version: string) => `module.exports = ${JSON.stringify(version)}`

let registry: Registry
let stack: Stack
beforeAll(async () => {
  registry = await startRegistry({
    odd: { "1.0.0": VERSION("1.0.0"), "2.0.0": VERSION("2.0.0") },
    even: { "1.0.0": VERSION("even 1.0.0") },
    // Bun keeps what it fetched: who wants to see requests asks for something new.
    slow: { "1.0.0": VERSION("slow") },
    shared: { "1.0.0": VERSION("shared") },
    endless: { "1.0.0": VERSION("endless") },
  })
  stack = await startStack({
    variables: {
      BUN_CONFIG_REGISTRY: registry.url,
      BUN_CONFIG_TOKEN: "registry-token",
    },
  })
})
beforeEach(() => {
  registry.hold = () => Promise.resolve()
})
afterAll(async () => {
  await stack[Symbol.asyncDispose]()
  await registry[Symbol.asyncDispose]()
})

/** A function of `env` that tells which version of a package it finds, on the loop or on a thread. */
function versionIn(env: Env) {
  return fn(
    async (name: string) => {
      const found: { default: string } = await import(name)
      return found.default
    },
    { name: "versionIn" },
  ).to(env)
}

function builds(env: string): string[] {
  const folder = join(stack.home, "envs", `p-${env}`, "builds")
  return existsSync(folder) ? readdirSync(folder).toSorted() : []
}

describe("packages of an env", () => {
  test("are installed before the first use, and found by functions on the loop and on threads", async () => {
    const env = stack.here.env("first", { packages: { odd: "1.0.0", even: "*" } })
    const version = await versionIn(env)
    expect([await version("odd"), await version("even")]).toEqual(["1.0.0", "even 1.0.0"])
    const onThread = await fn(
      (name: string) => {
        const found: string = require(name)
        return found
      },
      { name: "onThread" },
    ).to(env)
    expect(onThread("odd")).toBe("1.0.0")
    expect(registry.tokens).toEqual(new Set(["Bearer registry-token"]))
    expect((await env.status())?.spec.packages).toEqual({ even: "*", odd: "1.0.0" })
  })

  test("of two envs are apart: two versions of one package at the same time", async () => {
    const [one, two] = await Promise.all([
      versionIn(stack.here.env("one", { packages: ["odd@1.0.0"] })),
      versionIn(stack.here.env("two", { packages: ["odd@2.0.0"] })),
    ])
    expect(await Promise.all([one("odd"), two("odd")])).toEqual(["1.0.0", "2.0.0"])
    const none = await versionIn(stack.here.env("none"))
    expect(await none("odd").catch(String)).toContain("Cannot find package 'odd'")
  })

  test("are not installed again for the same list, by anybody, nor after a restart of the daemon", async () => {
    const spec = { packages: ["odd@1.0.0"] }
    await stack.here.env("same", spec).ready()
    const before = registry.asked.length
    using other = stack.connect()
    await other.env("same", { ...spec, queue: 5 }).ready()
    await stack.stop()
    await stack.startAgain()
    const version = await versionIn(stack.here.env("same"))
    expect(await version("odd")).toBe("1.0.0")
    expect(registry.asked.length).toBe(before)
  })

  test("without a version are the latest, and stay what they were while others are added", async () => {
    const version = await versionIn(stack.here.env("latest", { packages: ["odd"] }))
    expect(await version("odd")).toBe("2.0.0")
    expect((await stack.here.env("latest").status())?.spec.packages).toEqual({ odd: "latest" })
  })

  test("are changed without a trace of the old ones, once nobody uses them", async () => {
    const env = (version: string) => stack.here.env("changed", { packages: { odd: version } })
    const version = await versionIn(env("1.0.0"))
    const [old] = builds("changed")
    await env("2.0.0").ready()
    expect(await version("odd")).toBe("2.0.0")
    await until(() => !builds("changed").includes(old ?? ""), "the old ones to be gone")
    expect(builds("changed")).toHaveLength(2)
    await stack.here.env("changed").remove()
    expect(builds("changed")).toEqual([])
  })

  test("that are missing on the disk are installed again by the start that needs them", async () => {
    const env = stack.here.env("lost", { packages: { odd: "1.0.0" } })
    const version = await versionIn(env)
    await stack.stop()
    rmSync(join(stack.home, "envs", "p-lost"), { recursive: true })
    await stack.startAgain()
    expect(await version("odd")).toBe("1.0.0")
  })

  test("do not run their lifecycle scripts, unless Bun trusts them", async () => {
    const env = stack.here.env("scripts", { packages: { odd: "1.0.0" } })
    await env.ready()
    const { cwd } = (await env.status()) ?? {}
    expect(readdirSync(join(cwd ?? "", "node_modules", "odd"))).toEqual([
      "index.js",
      "package.json",
    ])
  })
})

describe("an installation", () => {
  test("is shown while it is under way, by the status and to whoever waits for it", async () => {
    const gate = Promise.withResolvers<void>()
    registry.hold = () => gate.promise
    const said: string[] = []
    const write = process.stderr.write.bind(process.stderr)
    setQuiet(false)
    process.stderr.write = (text: string | Uint8Array) => said.push(String(text)) > 0
    try {
      const ready = stack.here.env("slow", { packages: ["odd@1.0.0", "slow"] }).ready()
      const status = await until(async () => {
        const found = await stack.here.env("slow").status()
        return found?.state === "installing" ? found : undefined
      }, "the installation")
      expect(status.activity).toBe("installing 2 packages")
      await until(() => said.length > 0, "the notice")
      gate.resolve()
      await ready
    } finally {
      process.stderr.write = write
      setQuiet(true)
    }
    expect(said.join("")).toContain("installing 2 packages for env slow…")
    expect(await stack.here.env("slow").status()).toMatchObject({ state: "ready" })
    expect(await stack.log()).toContain("installing 2 packages")
  })

  test("that fails says what Bun said, leaves nothing behind, and may be mended", async () => {
    const env = stack.here.env("absent", { packages: { odd: "9.9.9", nowhere: "1" } })
    const error = await caught(env.ready())
    expect(error).toMatchObject({ code: "ENV_FAILED", ran: "no", env: "absent" })
    expect(error.message).toMatch(/odd|nowhere/)
    expect(error.message).toContain("error:")
    expect(await env.status()).toBeUndefined()
    expect(builds("absent")).toEqual([])
    const version = await versionIn(stack.here.env("absent", { packages: { odd: "1.0.0" } }))
    expect(await version("odd")).toBe("1.0.0")
  })

  test("that fails leaves the env that is there serving what it served", async () => {
    const version = await versionIn(stack.here.env("kept", { packages: { odd: "1.0.0" } }))
    const before = await stack.here.env("kept").status()
    const error = await caught(stack.here.env("kept", { packages: { odd: "9.9.9" } }).ready())
    expect(error.code).toBe("ENV_FAILED")
    const after = await stack.here.env("kept").status()
    expect([after?.pid, after?.spec, after?.state]).toEqual([before?.pid, before?.spec, "ready"])
    expect(await version("odd")).toBe("1.0.0")
  })

  test("of one env by many at once happens once", async () => {
    registry.asked.length = 0
    const clients = Array.from({ length: 5 }, () => stack.connect())
    await Promise.all(clients.map((each) => each.env("many", { packages: ["shared"] }).ready()))
    expect(registry.asked.filter((path) => path === "/shared")).toHaveLength(1)
  })

  test("ends with the env that it is for, and with the daemon", async () => {
    const never = new Promise<void>(() => {})
    registry.hold = () => never
    const env = stack.here.env("ended", { packages: ["endless"] })
    const refused = caught(env.ready())
    await until(async () => (await env.status())?.state === "installing", "the installation")
    await stack.here
      .env("ended")
      .remove()
      .catch(() => {})
    expect(await refused).toMatchObject({ code: "NOT_FOUND" })
    const again = caught(stack.here.env("ended", { packages: ["endless"] }).ready())
    await until(async () => (await env.status())?.state === "installing", "the installation")
    const family = descendants(stack.pid)
    await stack.kill()
    await until(() => family.every((pid) => !isAlive(pid)), "all processes to be gone")
    await stack.startAgain()
    expect((await again).code).toBeOneOf(["NO_DAEMON", "DAEMON_LOST", "UNAVAILABLE"])
  })
})

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`)
}
