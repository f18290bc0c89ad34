import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { existsSync, mkdirSync, readdirSync, symlinkSync, truncateSync } from "node:fs"
import { join } from "node:path"
import { type Env, fn } from "../../client/index.ts"
import { filesVersion, packFiles } from "../../protocol/files.ts"
import { FILES_BYTES_MAX } from "../../protocol/limits.ts"
import { caught } from "../support/caught.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/folder.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

let stack: Stack
let folder: TemporaryFolder
beforeAll(async () => {
  stack = await startStack()
})
beforeEach(() => {
  folder?.[Symbol.dispose]()
  folder = temporaryFolder()
})
afterAll(async () => {
  await stack[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

/** Reads a file relative to the working directory of the env, and lists what is there. */
function readerIn(env: Env) {
  return fn(
    async (path: string) => {
      const fs = await import("node:fs")
      const there = fs.readdirSync(".", { recursive: true }).map(String).toSorted()
      return { there, text: await Bun.file(path).text(), cwd: process.cwd() }
    },
    { name: "read" },
  ).to(env)
}

async function put(path: string, body: Uint8Array): Promise<{ status: number; text: string }> {
  const response = await fetch(`${stack.url}${path}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${stack.token}` },
    body,
  })
  return { status: response.status, text: await response.text() }
}

describe("a shipped folder", () => {
  test("is the working directory of functions, without what .gitignore names", async () => {
    await Bun.write(folder.join("data.txt"), "one")
    await Bun.write(folder.join(".gitignore"), "*.log\nsecret/\n")
    await Bun.write(folder.join("noise.log"), "noise")
    await Bun.write(folder.join("secret/key"), "key")
    await Bun.write(folder.join("node_modules/x/index.js"), "")
    await Bun.write(folder.join(".git/HEAD"), "")
    await Bun.write(folder.join("sub/.gitignore"), "!kept.log\n")
    await Bun.write(folder.join("sub/kept.log"), "kept")
    const env = stack.here.env("shipped", { files: folder.path })
    const read = await readerIn(env)
    const { there, text, cwd } = await read("data.txt")
    expect(text).toBe("one")
    expect(there).toEqual([".gitignore", "data.txt", "sub", "sub/.gitignore", "sub/kept.log"])
    expect(await env.status()).toMatchObject({ cwd, spec: { files: { count: 4 } } })
  })

  test("keeps what is in the rules of the repository around it, and whether a file can be run", async () => {
    await Bun.write(folder.join(".git/HEAD"), "")
    await Bun.write(folder.join(".gitignore"), "*.tmp\n/dist\n")
    await Bun.write(folder.join("app/run.sh"), "#!/bin/sh\necho it ran\n")
    await Bun.write(folder.join("app/left.tmp"), "")
    await Bun.write(folder.join("dist/out.txt"), "built")
    Bun.spawnSync(["chmod", "+x", folder.join("app/run.sh")])
    const run = await fn(
      async () => `${await Bun.$`./run.sh`.text()}${(await Bun.$`ls`.text()).trim()}`,
      { name: "run" },
    ).to(stack.here.env("around", { files: folder.join("app") }))
    expect(await run()).toBe("it ran\nrun.sh")
    // Who ships a folder that the repository ignores means it.
    const read = await readerIn(stack.here.env("built", { files: folder.join("dist") }))
    expect((await read("out.txt")).text).toBe("built")
  })

  test("brings modules that functions import", async () => {
    await Bun.write(folder.join("lib.ts"), `export const answer: number = 42`)
    const answer = await fn(
      async () => {
        const lib: { answer: number } = await import(`${process.cwd()}/lib.ts`)
        return lib.answer
      },
      { name: "answer" },
    ).to(stack.here.env("modules", { files: folder.path }))
    expect(await answer()).toBe(42)
  })

  test("is sent once for the same content, and anew when it changed, without a lost call", async () => {
    await Bun.write(folder.join("data.txt"), "one")
    const env = () => stack.here.env("again", { files: folder.path })
    const read = await readerIn(env())
    const { cwd } = await read("data.txt")
    await Bun.write(folder.join("data.txt"), "one")
    await env().ready()
    expect((await read("data.txt")).cwd).toBe(cwd)
    await Bun.write(folder.join("data.txt"), "two")
    await env().ready()
    const after = await read("data.txt")
    expect([after.text, after.cwd === cwd]).toEqual(["two", false])
    await until(() => !existsSync(cwd), "the old files to be gone")
    expect((await stack.here.env("again").status())?.crashes).toBe(0)
  })

  test("comes from the store again when it is gone from the disk", async () => {
    await Bun.write(folder.join("data.txt"), "kept")
    const read = await readerIn(stack.here.env("restored", { files: folder.path }))
    await stack.stop()
    await Bun.$`rm -rf ${join(stack.home, "envs", "p-restored")}`.quiet()
    await stack.startAgain()
    expect((await read("data.txt")).text).toBe("kept")
  })

  test("of many megabytes arrives whole", async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(65_536))
    const parts = Array.from({ length: 20 * 16 }, () => bytes)
    await Bun.write(folder.join("large.bin"), new Blob(parts))
    const hash = await fn(
      async () => {
        const content = await Bun.file("large.bin").bytes()
        return new Bun.CryptoHasher("sha256").update(content).digest("hex")
      },
      { name: "hash" },
    ).to(stack.here.env("large", { files: folder.path }))
    expect(await hash()).toBe(filesVersion(await Bun.file(folder.join("large.bin")).bytes()))
  }, 20_000)

  test("is deleted from the store when no env has it any more", async () => {
    await Bun.write(folder.join("data.txt"), "to be removed")
    const env = stack.here.env("removed", { files: folder.path })
    await env.ready()
    const files = (await env.status())?.spec.files
    await env.remove()
    const again = await fetch(`${stack.url}/v1/envs/removed`, {
      method: "PUT",
      headers: { authorization: `Bearer ${stack.token}` },
      body: JSON.stringify({ files }),
    })
    expect(again.status).toBe(404)
    expect(await again.text()).toContain("ship them again")
    expect(await env.status()).toBeUndefined()
    await env.ready()
    expect((await env.status())?.state).toBe("ready")
  })
})

describe("a folder that cannot be shipped", () => {
  test("is refused before anything is sent", async () => {
    const refusalOf = (files: string) => caught(stack.here.env("refused", { files }).ready())
    expect((await refusalOf(folder.join("missing"))).message).toContain("to be a folder")
    await Bun.write(folder.join("file"), "")
    expect((await refusalOf(folder.join("file"))).code).toBe("INVALID_ARGUMENT")
    mkdirSync(folder.join("linked"))
    symlinkSync("/etc/passwd", folder.join("linked/passwd"))
    const linked = await refusalOf(folder.join("linked"))
    expect(linked).toMatchObject({ code: "INVALID_ARGUMENT" })
    expect(linked.message).toContain(`${folder.join("linked/passwd")} is a symbolic link`)
    await Bun.write(folder.join("huge/x"), "")
    truncateSync(folder.join("huge/x"), FILES_BYTES_MAX + 1)
    const huge = await refusalOf(folder.join("huge"))
    expect(huge).toMatchObject({ code: "PAYLOAD_TOO_LARGE" })
    expect(huge.message).toContain("x (33554433)")
    expect(await stack.here.env("refused").status()).toBeUndefined()
  })

  test("by whoever speaks HTTP is refused by the daemon, and touches nothing", async () => {
    const pack = packFiles([
      { path: "../../escaped", bytes: Buffer.from("x"), isExecutable: false },
    ])
    const escaped = await put(`/v1/files/${filesVersion(pack)}`, pack)
    expect(escaped.status).toBe(400)
    expect(escaped.text).toContain("no path below a folder")
    const fine = packFiles([{ path: "a", bytes: Buffer.from("x"), isExecutable: false }])
    expect((await put(`/v1/files/${"0".repeat(64)}`, fine)).status).toBe(400)
    expect((await put("/v1/files/..%2f..%2fx", fine)).status).toBe(400)
    expect((await put(`/v1/files/${filesVersion(fine)}`, Buffer.from("junk"))).status).toBe(400)
    const found = readdirSync(stack.home, { recursive: true }).map(String)
    expect(found.some((path) => path.includes("escaped"))).toBe(false)
  })
})
