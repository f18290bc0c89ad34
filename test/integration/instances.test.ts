import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { cls, fn } from "../../client/index.ts"
import { ENV_INSTANCES_MAX } from "../../protocol/limits.ts"
import { caught } from "../support/caught.ts"
import { ask, pathOf } from "../support/http.ts"
import { startMarks } from "../support/mark.ts"
import { writeProgram } from "../support/program.ts"
import { type Stack, startStack } from "../support/stack.ts"

/** How instances come and go, and who can find them. */
let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack[Symbol.asyncDispose]())

class Counter {
  static made = 0
  #n: number
  constructor(start = 0) {
    if (start < 0) throw new RangeError("below zero")
    Counter.made++
    this.#n = start
  }
  async add(by = 1): Promise<number> {
    return (this.#n += by)
  }
}

const countOf = async (env: string) => (await stack.here.env(env).status())?.instances

describe("a named instance", () => {
  test("is constructed once, however many ask for it at once, from several clients", async () => {
    const counters = await cls(Counter).to(stack.here.env("once"))
    const clients = Array.from({ length: 4 }, () => stack.connect())
    const all = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const elsewhere = clients[i % clients.length] ?? stack.here
        const theirs = await elsewhere.getClass<typeof Counter>("once/Counter")
        return theirs.getOrCreate("main", i)
      }),
    )
    expect(new Set(all.map(({ info }) => info.id)).size).toBe(1)
    expect(await counters.static.get("made")).toBe(1)
    const start = await all[0]?.add(0)
    const sums = await Promise.all(all.map((counter) => counter.add(1)))
    const expected = Array.from({ length: 20 }, (_, i) => (start ?? 0) + i + 1)
    expect(sums.toSorted((a, b) => a - b)).toEqual(expected)
    expect(await countOf("once")).toBe(1)
  })

  test("is one and the same for two processes", async () => {
    const counters = await cls(Counter).to(stack.here.env("shared"))
    const mine = await counters.getOrCreate("main", 10)
    expect(await mine.add(1)).toBe(11)
    const code = `
      class Counter { async add(by: number): Promise<number> { return by } }
      const counters = await here.getClass<typeof Counter>("shared/Counter")
      const theirs = await counters.get("main")
      console.log(await theirs.add(5), theirs.sync.add(1), theirs.info.name)`
    using program = writeProgram(stack, code, "here")
    const { stdout, stderr, exitCode } = await program.run()
    expect({ stdout, stderr, exitCode }).toEqual({
      stdout: "16 17 main\n",
      stderr: "",
      exitCode: 0,
    })
    expect(await mine.add(1)).toBe(18)
  })

  test("stays when the scope of a handle ends, and goes for everybody when it is released", async () => {
    const counters = await cls(Counter).to(stack.here.env("scoped"))
    {
      await using handle = await counters.getOrCreate("main", 1)
      await handle.add()
    }
    const first = await counters.get("main")
    const second = await counters.get("main")
    expect(await first.add()).toBe(3)
    await first.release()
    await first.release()
    expect(await caught(second.add())).toMatchObject({ code: "STATE_LOST", ran: "no" })
    expect((await caught(counters.get("main"))).code).toBe("NOT_FOUND")
    expect(await (await counters.getOrCreate("main", 7)).add()).toBe(8)
    expect(await caught(second.add())).toMatchObject({ code: "STATE_LOST" })
  })

  test("is not there after a constructor that threw, and the next one may do better", async () => {
    const counters = await cls(Counter).to(stack.here.env("throws"))
    const attempts = [-1, -2, -3].map((n) => counters.getOrCreate("main", n))
    for (const attempt of await Promise.allSettled(attempts)) {
      expect(attempt).toMatchObject({ status: "rejected" })
      if (attempt.status === "rejected") expect(attempt.reason).toBeInstanceOf(RangeError)
    }
    expect((await caught(counters.get("main"))).code).toBe("NOT_FOUND")
    expect(await countOf("throws")).toBe(0)
    expect(await (await counters.getOrCreate("main", 1)).add()).toBe(2)
  })

  test("has a name like an env or a function, and nothing else", async () => {
    const counters = await cls(Counter).to(stack.here.env("names"))
    for (const name of ["", "a/b", "..", "a\nb"]) {
      expect((await caught(counters.getOrCreate(name))).code).toBe("INVALID_ARGUMENT")
    }
    for (const name of ["__proto__", "~", "a b", "ü", "%2F"]) {
      expect(await (await counters.getOrCreate(name, 1)).add()).toBe(2)
      expect(await (await counters.get(name)).add()).toBe(3)
    }
  })
})

describe("a class that is sent again with other code", () => {
  test("leaves its instances what they are; new ones have the new code", async () => {
    const env = stack.here.env("versions")
    const before = await cls(
      class Greeter {
        async greet(name: string): Promise<string> {
          return `hello ${name}`
        }
      },
      { name: "Greeter" },
    ).to(env)
    const named = await before.getOrCreate("main")
    const old = await before.create()
    const after = await cls(
      class Greeter {
        async greet(name: string): Promise<string> {
          return `good day ${name}`
        }
        async leave(): Promise<string> {
          return "bye"
        }
      },
      { name: "Greeter" },
    ).to(env)
    const young = await after.create()
    expect([await named.greet("a"), await old.greet("b")]).toEqual(["hello a", "hello b"])
    expect([await young.greet("c"), await young.leave()]).toEqual(["good day c", "bye"])
    const found = await after.get("main")
    expect(found.info.version).toBe(before.info.version)
    expect(await found.greet("d")).toBe("hello d")
    expect(Object.hasOwn(found, "leave")).toBe(false)
    await named.release()
    expect(await (await after.getOrCreate("main")).greet("e")).toBe("good day e")
  })
})

describe("release()", () => {
  test("lets the object dispose of itself, and tells what it throws; so does the end of a scope", async () => {
    using marks = startMarks()
    class Handle {
      readonly #path: string
      constructor(path: string) {
        this.#path = path
      }
      async touch(): Promise<void> {}
      async [Symbol.asyncDispose](): Promise<void> {
        await Bun.write(this.#path, "disposed")
        if (this.#path.endsWith("bad")) throw new SyntaxError("cannot close")
      }
    }
    const handles = await cls(Handle).to(stack.here.env("disposed"))
    const path = marks.next()
    {
      await using handle = await handles.create(path)
      await handle.touch()
    }
    expect(await Bun.file(path).text()).toBe("disposed")
    const bad = await handles.create(`${marks.next()}bad`)
    const thrown: unknown = await bad.release().catch((error: unknown) => error)
    expect(thrown).toBeInstanceOf(SyntaxError)
    await bad.release()
    expect(await countOf("disposed")).toBe(0)
  })

  test("ends a thread that never comes to an end", async () => {
    class Spinner {
      spin(): void {
        for (;;);
      }
    }
    const spinners = await cls(Spinner).to(stack.here.env("spins"))
    const spinner = await spinners.create()
    const call = caught(spinner.async.spin())
    const waiting = caught(spinner.async.spin())
    await ask(stack, "DELETE", pathOf("spins", "Spinner", `/instances/${spinner.info.id}`))
    // Its disposer waits for its turn, for INSTANCE_DISPOSE_MS.
    expect(["WORKER_LOST", "STATE_LOST"]).toContain((await call).code)
    expect(await waiting).toMatchObject({ code: "STATE_LOST", ran: "no" })
    expect(await countOf("spins")).toBe(0)
  }, 15_000)
})

describe("what is no instance", () => {
  test("is told apart: no class, no function, no env", async () => {
    const env = stack.here.env("kinds")
    await cls(Counter).to(env)
    await fn(async function plain() {
      return 1
    }).to(env)
    const wrong = [
      stack.here.get("kinds/Counter"),
      stack.here.getClass("kinds/plain"),
      stack.here.getModule("kinds/Counter"),
    ]
    for (const work of wrong) expect((await caught(work)).code).toBe("INVALID_ARGUMENT")
    expect((await caught(stack.here.getClass("kinds/None"))).code).toBe("NOT_FOUND")
    expect((await ask(stack, "POST", pathOf("kinds", "plain", "/instances"))).status).toBe(400)
    expect((await ask(stack, "POST", pathOf("none", "Counter", "/instances"))).status).toBe(404)
    expect(
      (await ask(stack, "DELETE", pathOf("kinds", "Counter", "/instances/none"))).json,
    ).toEqual({
      released: false,
    })
  })

  test("cannot be reached by members that all objects have", async () => {
    const counters = await cls(Counter).to(stack.here.env("members"))
    const counter = await counters.create()
    const path = pathOf("members", `Counter/${counter.info.id}`, "/call")
    const attempts = [
      ["constructor", "call"],
      ["__proto__", "get"],
      [{}, "__proto__", "set"],
      ["then", "call"],
      ["toString", "get"],
      ["hasOwnProperty", "call"],
      [1, "call"],
      ["new"],
      ["eval"],
      [],
    ]
    for (const args of attempts) {
      const { status, json } = await ask(stack, "POST", path, { body: args })
      expect([400, 404]).toContain(status)
      expect(json).toMatchObject({ error: { ran: "no" } })
    }
    const { json } = await ask(stack, "POST", path, { body: [5, "add", "call"] })
    expect(json).toEqual({ ok: true, value: 5 })
  })

  test("is refused over the limit of an env", async () => {
    class Small {
      async one(): Promise<number> {
        return 1
      }
    }
    const small = await cls(Small).to(stack.here.env("many"))
    const make = () => ask(stack, "POST", pathOf("many", "Small", "/instances"))
    const made = await Promise.all(Array.from({ length: ENV_INSTANCES_MAX }, make))
    expect(made.every(({ status }) => status === 200)).toBe(true)
    expect(await caught(small.create())).toMatchObject({ code: "OVERLOADED", ran: "no" })
    await stack.here.env("many").restart()
    expect(await (await small.create()).one()).toBe(1)
  }, 20_000)
})
