import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Env, fn } from "../../client/index.ts"
import { ask, pathOf } from "../support/http.ts"
import { startMarks } from "../support/mark.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"
import { whilePending } from "../support/while-pending.ts"

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack[Symbol.asyncDispose]())

async function send(env: string, name: string, code: string, more: object = {}, timeoutMs = 5_000) {
  const body = { kind: "async", run: "loop", code, ...more }
  const headers = { "bunhouse-timeout-ms": String(timeoutMs) }
  return ask(stack, "PUT", pathOf(env, name), { body, headers })
}

async function call(env: string, name: string, ...args: unknown[]): Promise<unknown> {
  return (await ask(stack, "POST", pathOf(env, name, "/call"), { body: args })).json
}

const VALUE = (n: number) => `export default async () => ${n}`

describe("a function that is sent fifty times at once", () => {
  test("runs one version in each call, and the last one stays", async () => {
    const env = stack.here.env("many")
    const versions = Array.from({ length: 50 }, (_, i) => i)
    await send("many", "f", `export default async () => [0, 0]`)
    const sent = versions.map((i) =>
      send("many", "f", `const mine = ${i}; export default async () => [mine, ${i}]`),
    )
    const all = Promise.all(sent)
    const seen: unknown[] = []
    await whilePending(all, async () => seen.push(await call("many", "f")))
    for (const answer of await all) expect(answer.status).toBe(200)
    const torn = seen.filter((answer) => !/"value":\[(\d+),\1\]/.test(JSON.stringify(answer)))
    expect(torn).toEqual([])
    const last = (await env.status())?.functions[0]?.version
    const [lastSent] = (await all).slice(-1)
    expect(lastSent?.json).toMatchObject({ info: { version: last } })
    expect(await call("many", "f")).toEqual({ ok: true, value: [49, 49] })
    expect(seen.length).toBeGreaterThan(5)
  })

  test("by many clients of the library is always callable", async () => {
    const clients = Array.from({ length: 10 }, () => stack.connect())
    const remotes = await Promise.all(
      clients.map((client, i) => {
        // oxlint-disable-next-line typescript/no-implied-eval -- ten functions of one name and different code
        const f: () => Promise<number> = new Function(`return async () => ${i}`)()
        return fn(f, { name: "shared" }).to(client.env("clients"))
      }),
    )
    const values = await Promise.all(remotes.map((remote) => remote()))
    expect(new Set(values).size).toBe(1)
  })
})

/** Functions of one name and different code. */
function thrower(text: string): (n: number) => Promise<never> {
  // oxlint-disable-next-line typescript/no-implied-eval -- as above
  return new Function(`return async (n) => { throw new Error("${text}" + n) }`)()
}

async function thrownBy(work: () => unknown): Promise<unknown> {
  try {
    return { returned: await work() }
  } catch (thrown) {
    return thrown
  }
}

describe("an error that a function throws", () => {
  test("tells the version that threw it, also where the handle knows an earlier one", async () => {
    const env = stack.here.env("versions")
    const one = await fn(thrower("one"), { name: "f" }).to(env)
    const two = await fn(thrower("two"), { name: "f" }).to(env)
    const thrown = { message: "two1", remote: { version: two.info.version } }
    expect(await thrownBy(() => one(1))).toMatchObject(thrown)
    expect(await thrownBy(() => one.sync(1))).toMatchObject(thrown)
    expect(two.info.version).not.toBe(one.info.version)
  })

  test.each(["sync", "asyncGenerator", "syncGenerator"] as const)(
    "of the kind %s tells it",
    async (kind) => {
      const text = {
        sync: "()",
        asyncGenerator: "async function* ()",
        syncGenerator: "function* ()",
      }[kind]
      const arrow = kind === "sync" ? " =>" : ""
      // oxlint-disable-next-line typescript/no-implied-eval -- of any kind
      const f: () => Generator = new Function(`return ${text}${arrow} { throw new Error("no") }`)()
      const remote = await fn(f, { name: kind }).to(stack.here.env("kinds"))
      const error = await thrownBy(() => [...remote.sync()])
      expect(error).toMatchObject({ message: "no", remote: { version: remote.info.version } })
    },
  )
})

describe("a version that cannot be loaded", () => {
  const kinds = [
    ["on the loop", { kind: "async", run: "loop" }],
    ["on a thread", { kind: "sync", run: "thread" }],
  ] as const
  const bad: readonly (readonly [what: string, code: string, reason: string])[] = [
    ["has a syntax error", "export default async () => {", "cannot be loaded"],
    ["throws at the top", "throw new RangeError('top')", "RangeError: top"],
    ["throws nothing at the top", "throw undefined", "undefined"],
    ["rejects at the top", "await Promise.reject(new Error('later'))", "later"],
    ["has no default export", "export const f = () => 1", "exports no function"],
    ["exports something else", "export default 5", "exports no function"],
    ["imports what is not there", "import 'no-such-package-here'", "no-such-package-here"],
    ["is empty", "", "exports no function"],
  ]
  for (const [where, place] of kinds) {
    const name = `old-${place.run}`
    test.each(bad)(
      `(${where}) because it %s is refused, and the old one serves`,
      async (...row) => {
        const [, code, reason] = row
        expect((await send("bad", name, "export default () => 1", place)).status).toBe(200)
        const { status, json, text } = await send("bad", name, code, place)
        expect(status).toBe(422)
        expect(json).toMatchObject({
          error: {
            code: "DEPLOY_FAILED",
            ran: "no",
            env: "bad",
            function: name,
            version: expect.stringMatching(/^[0-9a-f]{16}$/),
          },
        })
        expect(text).toContain(reason)
        expect(await call("bad", name)).toEqual({ ok: true, value: 1 })
      },
    )

    test(`(${where}) because it never ends is given up in time, and the old one serves`, async () => {
      expect((await send("bad", name, "export default () => 1", place)).status).toBe(200)
      const start = performance.now()
      const code = "await new Promise(() => {}); export default () => 2"
      const { status, text } = await send("bad", name, code, place, 150)
      expect(performance.now() - start).toBeLessThan(1_000)
      expect(status).toBe(422)
      expect(text).toContain("150 ms")
      expect(await call("bad", name)).toEqual({ ok: true, value: 1 })
    })
  }

  test("(on a thread) because it runs for ever is given up in time, also with one thread only", async () => {
    const place = { kind: "sync", run: "thread" }
    await ask(stack, "PUT", "/v1/envs/one", { body: { threads: { max: 1 } } })
    await send("one", "f", "export default () => 1", place)
    const { status } = await send("one", "f", "for (;;); export default () => 2", place, 150)
    expect(status).toBe(422)
    expect(await call("one", "f")).toEqual({ ok: true, value: 1 })
  })

  test("(on the loop) because it runs for ever ends the env process, and the old one serves", async () => {
    await send("stuck", "f", VALUE(1))
    const { status, text } = await send("stuck", "f", "for (;;); export default () => 2", {}, 150)
    expect(status).toBe(422)
    expect(text).toContain("cannot be loaded")
    expect(await call("stuck", "f")).toEqual({ ok: true, value: 1 })
  })

  test("because it ends the env process is refused, and the old one serves", async () => {
    await send("exits", "f", VALUE(1))
    const { status, text } = await send("exits", "f", "process.exit(7); export default () => 2")
    expect(status).toBe(422)
    expect(text).toContain("exit code 7")
    expect(await call("exits", "f")).toEqual({ ok: true, value: 1 })
    expect(await stack.here.env("exits").status()).toMatchObject({ crashes: 1, state: "ready" })
  })

  test("for a reason that passes is taken when it is sent again", async () => {
    using marks = startMarks()
    const mark = marks.next()
    const code = `if (!require("node:fs").existsSync(${JSON.stringify(mark)})) throw new Error("not yet")
      export default async () => "now"`
    expect((await send("again", "f", code)).status).toBe(422)
    await Bun.write(mark, "")
    expect((await send("again", "f", code)).status).toBe(200)
    expect(await call("again", "f")).toEqual({ ok: true, value: "now" })
  })

  test("with a time to load that is none is refused", async () => {
    for (const timeoutMs of [0, -1, 1e9]) {
      expect((await send("bad", "f", VALUE(1), {}, timeoutMs)).status).toBe(400)
    }
  })
})

/** What the daemon says that it has can be called. */
async function checkWhole(env: Env): Promise<void> {
  for (const { name } of (await env.status())?.functions ?? []) {
    expect(await call("busy", name)).toEqual({ ok: true, value: Number(name.slice(1)) })
  }
}

describe("an env that is removed while functions are sent to it", () => {
  test("never keeps half of anything", async () => {
    const env = stack.here.env("busy")
    for (let round = 0; round < 6; round++) {
      const sent = Array.from({ length: 8 }, (_, i) => send("busy", `f${i}`, VALUE(i)))
      await Bun.sleep(round * 12)
      await env.remove().catch(() => {})
      for (const answer of await Promise.all(sent)) expect([200, 404]).toContain(answer.status)
      await checkWhole(env)
      await env.remove().catch(() => {})
    }
    expect(await env.status()).toBeUndefined()
    await until(async () => (await stack.here.status()).callsInFlight === 0, "all calls to end")
  })
})
