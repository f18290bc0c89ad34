import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdirSync, readdirSync, readFileSync, realpathSync } from "node:fs"
import { join } from "node:path"
import { type EnvSpecInput, fn } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

const SECRET = "canary-of-the-spec-0123456789"

let stack: Stack
let folder: TemporaryFolder
beforeAll(async () => {
  folder = temporaryFolder()
  stack = await startStack()
})
afterAll(async () => {
  await stack[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

/** What a function of the env sees of its process, on the loop and on a thread. */
async function seenIn(name: string, spec: EnvSpecInput) {
  const env = stack.here.env(name, spec)
  const onLoop = await fn(
    async () => ({ cwd: process.cwd(), vars: { ...process.env }, argv: process.execArgv }),
    { name: "onLoop" },
  ).to(env)
  const onThread = await fn(() => ({ cwd: process.cwd(), vars: { ...process.env } }), {
    name: "onThread",
  }).to(env)
  return { env, onLoop: await onLoop(), onThread: await onThread.async() }
}

/** All that the daemon wrote down or would tell: its log, the env's log, its status. */
async function toldBy(env: string): Promise<string> {
  const status = JSON.stringify(await stack.here.status())
  const log = await Bun.file(join(stack.home, "logs", `p-${env}.log`)).text()
  return [status, log, await stack.log()].join("\n")
}

describe("the variables of an env", () => {
  test("reach functions on the loop and on threads; secrets are shown nowhere else", async () => {
    const vars = { MODE: "x", TZ: "Asia/Tokyo", API_KEY: { secret: SECRET } }
    const { env, onLoop, onThread } = await seenIn("vars", { vars, setup: "echo $API_KEY" })
    for (const { vars: seen } of [onLoop, onThread]) {
      expect(seen).toMatchObject({ MODE: "x", TZ: "Asia/Tokyo", API_KEY: SECRET })
      expect(seen["BUNHOUSE_HOME"]).toBe(stack.home)
    }
    const shown = (await env.status())?.spec.vars
    expect(shown).toEqual({ API_KEY: { secret: true }, MODE: "x", TZ: "Asia/Tokyo" })
    expect(await toldBy("vars")).not.toContain(SECRET)
    expect(await toldBy("vars")).toContain("***")
  })

  test("that are changed are those of the next call", async () => {
    await seenIn("modes", { vars: { MODE: "one" } })
    const { onLoop } = await seenIn("modes", { vars: { MODE: "two" } })
    expect(onLoop.vars["MODE"]).toBe("two")
  })

  test("come back after a restart of the daemon", async () => {
    const mode = await fn(async () => process.env["KEY"], { name: "mode" }).to(
      stack.here.env("stays", { vars: { KEY: { secret: SECRET } } }),
    )
    await stack.stop()
    await stack.startAgain()
    expect(await mode()).toBe(SECRET)
  })
})

describe("the working directory of an env", () => {
  test("is what its spec says, and the env's own folder otherwise", async () => {
    const cwd = realpathSync(folder.path)
    const { env, onLoop, onThread } = await seenIn("placed", { cwd })
    expect([onLoop.cwd, onThread.cwd]).toEqual([cwd, cwd])
    expect((await env.status())?.cwd).toBe(cwd)
    expect(readdirSync(cwd)).toEqual([])
    const own = await seenIn("unplaced", {})
    expect(own.onLoop.cwd).toBe(join(stack.home, "envs", "p-unplaced"))
  })

  test("that is no folder is refused, and the env stays as it was", async () => {
    const file = folder.join("file")
    await Bun.write(file, "")
    for (const cwd of ["/nowhere/at/all", file]) {
      const error = await caught(stack.here.env("misplaced", { cwd }).ready())
      expect(error).toMatchObject({ code: "INVALID_ARGUMENT", env: "misplaced" })
      expect(error.message).toContain(cwd)
    }
    expect(await stack.here.env("misplaced").status()).toBeUndefined()
  })
})

describe("bunArgs of an env", () => {
  test("are flags of its process", async () => {
    const { onLoop } = await seenIn("flags", { bunArgs: ["--smol", "--title=flagged"] })
    expect(onLoop.argv).toContain("--smol")
    const { pid } = (await stack.here.env("flags").status()) ?? {}
    expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toContain("--no-orphans")
  })

  test("with which the process does not start leave the old one serving", async () => {
    const { env } = await seenIn("wrong-flags", {})
    const before = await env.status()
    const preload = folder.join("missing.ts")
    const changed = stack.here.env("wrong-flags", { bunArgs: [`--preload=${preload}`] }).ready()
    const error = await caught(changed)
    expect(error).toMatchObject({ code: "ENV_FAILED", ran: "no" })
    expect(error.message).toContain("stays as it was")
    const after = await env.status()
    expect([after?.pid, after?.spec]).toEqual([before?.pid, before?.spec])
  })
})

describe("the memory of an env", () => {
  test("past its limit ends the process and its calls, with the figures; the next call is served", async () => {
    const env = stack.here.env("hungry", { memoryMiB: 300 })
    const eat = await fn(
      async (mib: number) => {
        const eaten = []
        for (let i = 0; i < mib; i++) eaten.push(new Uint8Array(1024 * 1024).fill(1))
        await Bun.sleep(mib > 100 ? 20_000 : 1)
        return eaten.length
      },
      { name: "eat" },
    ).to(env)
    expect(await eat(10)).toBe(10)
    const error = await caught(eat(500))
    expect(error).toMatchObject({ code: "WORKER_LOST", ran: "maybe" })
    expect(error.message).toMatch(/out of memory: \d{3} MiB resident, over its limit of 300 MiB/)
    expect(await eat(5)).toBe(5)
    const status = await env.status()
    expect(status).toMatchObject({ crashes: 1, spec: { memoryMiB: 300 } })
    expect(status?.rssBytes).toBeGreaterThan(1024 * 1024)
  }, 20_000)

  test("that is too little to start with is refused with the figures", async () => {
    const env = stack.here.env("starved", { memoryMiB: 16 })
    const error = await caught(env.ready())
    expect(error.code).toBe("ENV_FAILED")
    expect(error.message).toMatch(/\d+ MiB resident, over its limit of 16 MiB/)
  }, 30_000)

  test("may be limited and set free again without another process", async () => {
    const pid = await pidOf({ memoryMiB: 4_096 })
    expect(await pidOf({ memoryMiB: 8_192 })).toBe(pid)
    expect(await pidOf({})).toBe(pid)
  })
})

describe("the setup of an env", () => {
  test("runs once in its working directory, before the process starts", async () => {
    const cwd = folder.join("set-up")
    mkdirSync(cwd)
    const setup = "echo ran >> trace; echo $MODE > mode"
    const spec = { cwd, setup, vars: { MODE: "a" } }
    const read = await fn(async (name: string) => Bun.file(name).text(), { name: "read" }).to(
      stack.here.env("set-up", spec),
    )
    expect([await read("trace"), await read("mode")]).toEqual(["ran\n", "a\n"])
    await stack.here.env("set-up", { ...spec, queue: 3 }).ready()
    await stack.here.env("set-up").restart()
    expect(await read("trace")).toBe("ran\n")
    await stack.here.env("set-up", { ...spec, vars: { MODE: "b" } }).ready()
    expect([await read("trace"), await read("mode")]).toEqual(["ran\nran\n", "b\n"])
  })

  test("as a list is a program with its arguments, and no shell reads them", async () => {
    const env = stack.here.env("no-shell", { setup: ["bun", "-e", "console.log(`$HOME; $(id)`)"] })
    await env.ready()
    const log = await Bun.file(join(stack.home, "logs", "p-no-shell.log")).text()
    expect(log).toContain("$HOME; $(id)")
  })

  test("that fails is quoted without its secrets, and is tried again when it is asked for", async () => {
    const marker = folder.join("may-pass")
    const setup = `echo "no luck with $KEY" >&2; test -e ${marker}`
    const env = stack.here.env("unlucky", { setup, vars: { KEY: { secret: SECRET } } })
    const error = await caught(env.ready())
    expect(error).toMatchObject({ code: "ENV_FAILED", ran: "no", env: "unlucky" })
    expect(error.message).toContain("(exit code 1): no luck with ***")
    expect(await stack.here.env("unlucky").status()).toBeUndefined()
    await Bun.write(marker, "")
    await env.ready()
    expect(await toldBy("unlucky")).not.toContain(SECRET)
  })

  test("leaves nothing running", async () => {
    const mark = `${Math.random()}`.slice(2)
    await stack.here.env("untidy", { setup: `sleep 600.${mark} & echo started` }).ready()
    await until(() => !isRunning(`600.${mark}`), "the end of what it started")
  })
})

async function pidOf(spec: EnvSpecInput): Promise<number | undefined> {
  const env = stack.here.env("limited", spec)
  await env.ready()
  return (await env.status())?.pid
}

function isRunning(text: string): boolean {
  return Bun.spawnSync(["ps", "ax", "-o", "args="]).stdout.toString().includes(`sleep ${text}`)
}
