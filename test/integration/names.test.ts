import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { fn } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { ask, pathOf } from "../support/http.ts"
import { type Stack, startStack } from "../support/stack.ts"

let stack: Stack
let brokerPid: number | undefined
beforeAll(async () => {
  stack = await startStack()
  brokerPid = (await stack.here.status()).broker.pid
})
afterAll(async () => {
  // Whatever the names were: the broker's connection held, and nothing was written beside the state folder.
  const { broker } = await stack.here.status()
  expect(broker).toMatchObject({ pid: brokerPid, connected: true })
  expect(await stack.log()).not.toContain("broker lost")
  expect(await stack.log()).not.toContain("uncaught")
  for (const folder of ["envs", "logs"]) {
    expect(
      readdirSync(join(stack.home, folder)).filter((name) => !/^[a-z0-9_.-]+$/.test(name)),
    ).toEqual([])
  }
  await stack[Symbol.asyncDispose]()
})

/** Odd, but names: they travel end to end. */
const ODD = [
  "*",
  ">",
  "a b",
  "a.b.>",
  "$SYS.REQ",
  "__proto__",
  "constructor",
  "then",
  "toString",
  "😀",
  "naïve-名前",
  "a};process.exit()",
  "`${process.exit()}`",
  "'\"\\",
  "%2e%2e%2f",
  "?a=b#c",
  "x".repeat(200),
]

/** What no URL, subject, path or log line should have to carry. */
const REFUSED = [
  "",
  ".",
  "..",
  "../../etc",
  "a/b",
  "a};process.exit()//",
  "line\r\nPUB x 1",
  "nul\0",
  "\u001b[2J",
  "\u2028",
  "\u202eevil",
  "\ud800",
  "x".repeat(4_096),
  "😀".repeat(51),
]

/** Names with titles that a terminal can take. */
function titled(names: readonly string[]): [title: string, name: string][] {
  return names.map((name) => [encodeURIComponent(name.toWellFormed()).slice(0, 40), name])
}

describe("an odd name", () => {
  test.each(titled(ODD))("of a function travels end to end: %s", async (_title, name) => {
    const echo = await fn(async (x: unknown) => x, { name }).to(stack.here.env("odd"))
    expect(echo.info.name).toBe(name)
    expect(await echo({ name })).toEqual({ name })
    expect(echo.sync(1)).toBe(1)
    const found = await stack.connect().get<(x: unknown) => Promise<unknown>>(`odd/${name}`)
    expect(await found("found")).toBe("found")
    const answer = await ask(stack, "POST", pathOf("odd", name, "/call"), { body: "[7]" })
    expect(answer.json).toEqual({ ok: true, value: 7 })
    const status = await stack.here.env("odd").status()
    expect(status?.functions.map((each) => each.name)).toContain(name)
  })

  test("of an env travels end to end, its process, folder and log file included", async () => {
    const sent = ODD.slice(0, 9).map(async (name) => {
      const where = await fn(async () => ({ cwd: process.cwd(), pid: process.pid }), {
        name: "where",
      }).to(stack.here.env(name))
      const { cwd, pid } = await where()
      expect(cwd).toStartWith(join(stack.home, "envs"))
      expect(await stack.here.env(name).status()).toMatchObject({ name, pid, state: "ready" })
      return { name, cwd, pid }
    })
    const all = await Promise.all(sent)
    expect(new Set(all.map(({ cwd }) => cwd)).size).toBe(all.length)
    expect(new Set(all.map(({ pid }) => pid)).size).toBe(all.length)
    for (const { name } of all) {
      await stack.here.env(name).remove()
      expect(await stack.here.env(name).status()).toBeUndefined()
    }
  })
})

describe("a name that is none", () => {
  test.each(titled(REFUSED))(
    "is refused by the library with a message: %s",
    async (_title, name) => {
      const asEnv = await caught(() => stack.here.env(name))
      const asFunction = await caught(() => fn(async () => 1, { name }))
      for (const error of [asEnv, asFunction]) {
        expect(error).toMatchObject({ code: "INVALID_ARGUMENT", ran: "no" })
        expect(error.message).toContain("cannot be the name")
        expect(error.message).not.toMatch(/[\p{Cc}\u2028\u202e]/u)
        expect(error.message.length).toBeLessThan(400)
      }
    },
  )

  test.each(titled(REFUSED.filter((name) => name.isWellFormed())))(
    "is refused over HTTP as well, and makes nothing: %s",
    async (_title, name) => {
      const before = (await stack.here.status()).envs.map((env) => env.name)
      const encoded = encodeURIComponent(name)
      const code = { kind: "async", run: "loop", code: "export default async () => 1" }
      const answers = [
        await ask(stack, "PUT", `/v1/envs/${encoded}`, { body: {} }),
        await ask(stack, "POST", `/v1/envs/${encoded}/ready`),
        await ask(stack, "PUT", pathOf(name, "f"), { body: code }),
        await ask(stack, "PUT", pathOf("odd", name), { body: code }),
        await ask(stack, "POST", pathOf("odd", name, "/call"), { body: "[]" }),
        await ask(stack, "DELETE", `/v1/envs/${encoded}`),
      ]
      // A URL without the name, or with dots for it, is another URL: nothing is there.
      for (const { status, json } of answers) {
        expect([400, 404]).toContain(status)
        expect(json).toMatchObject({ error: { ran: "no" } })
      }
      expect((await stack.here.status()).envs.map((env) => env.name)).toEqual(before)
    },
  )

  test.each([["%"], ["%zz"], ["%c3%28"], ["%ed%a0%80"]])(
    "is refused when it is not even encoded well: %p",
    async (encoded) => {
      const answer = await ask(stack, "PUT", `/v1/envs/${encoded}`, { body: {} })
      expect(answer.status).toBe(400)
      expect(answer.json).toMatchObject({ error: { code: "INVALID_ARGUMENT" } })
    },
  )

  test("of a megabyte is refused at once", async () => {
    const start = performance.now()
    await caught(() => stack.here.env("x".repeat(1_000_000)))
    expect(performance.now() - start).toBeLessThan(500)
  })
})
