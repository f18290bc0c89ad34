import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { cls } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { sendSignal } from "../support/processes.ts"
import { until } from "../support/until.ts"

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack[Symbol.asyncDispose]())

/** All methods are async: its instances live on the loop. */
class Account {
  #balance: number
  readonly owner: string
  note = ""

  constructor(owner: string, balance = 0) {
    if (balance < 0) throw new RangeError(`${owner} owes money`)
    this.owner = owner
    this.#balance = balance
  }

  get balance(): number {
    return this.#balance
  }

  set balance(value: number) {
    this.#balance = value
  }

  async deposit(...amounts: number[]): Promise<number> {
    for (const amount of amounts) this.#balance += amount
    return this.#balance
  }

  async withdraw(amount: number): Promise<number> {
    if (amount > this.#balance) {
      throw Object.assign(new TypeError("too little"), { missing: amount - this.#balance })
    }
    return (this.#balance -= amount)
  }

  /** Reads, waits, writes: what happens between is lost. */
  async careless(amount: number): Promise<void> {
    const read = this.#balance
    await Bun.sleep(5)
    this.#balance = read + amount
  }

  double = async (): Promise<number> => this.deposit(this.#balance)

  ended = 0

  async *history(length: number): AsyncGenerator<number> {
    try {
      for (let i = 0; i < length; i++) {
        yield this.#balance
        // So that what is done meanwhile is seen.
        await Bun.sleep(1)
      }
    } finally {
      this.ended++
    }
  }

  static async *years(count: number): AsyncGenerator<number> {
    for (let i = 1; i <= count; i++) yield i
  }

  static async rate(): Promise<number> {
    return 0.5
  }

  static limit = 100
}

/** Has sync methods: each instance lives on a thread of its own. */
class Stamps {
  #seen: string[] = []

  add(text: string): number {
    return this.#seen.push(text)
  }

  *all(): Generator<string> {
    yield* this.#seen
  }

  block(ms: number): number {
    Bun.sleepSync(ms)
    return this.#seen.length
  }

  async later(text: string): Promise<string[]> {
    await Bun.sleep(5)
    this.#seen.push(text)
    return this.#seen
  }

  promised(text: string): Promise<string> {
    return Promise.resolve(`${text}!`)
  }

  where(): { readonly isMain: boolean; readonly pid: number } {
    return { isMain: Bun.isMainThread, pid: process.pid }
  }

  static shout(text: string): string {
    return text.toUpperCase()
  }
}

describe("an instance on the loop", () => {
  test("keeps its state between calls, private fields included", async () => {
    const accounts = await cls(Account).to(stack.here)
    expect(accounts.info).toMatchObject({ kind: "class", run: "loop", name: "Account" })
    await using account = await accounts.create("ann", 5)
    expect(await account.deposit(1, 2)).toBe(8)
    expect(await account.deposit()).toBe(8)
    expect(account.sync.withdraw(3)).toBe(5)
    expect(await account.async.withdraw(1)).toBe(4)
    expect(await account.double()).toBe(8)
  })

  test("tells its fields and what its getters give, and takes new values", async () => {
    const accounts = await cls(Account).to(stack.here)
    await using account = await accounts.create("bob", 5)
    expect([await account.get("owner"), await account.get("balance")]).toEqual(["bob", 5])
    await account.set("note", "new")
    await account.set("balance", 7)
    expect([await account.get("note"), await account.deposit()]).toEqual(["new", 7])
  })

  test("throws what its methods and its constructor throw", async () => {
    const accounts = await cls(Account).to(stack.here)
    await using account = await accounts.create("cy", 1)
    const error: unknown = await account.withdraw(3).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({ missing: 2, remote: { function: `Account/${account.info.id}` } })
    const { instances } = (await stack.here.env().status()) ?? { instances: -1 }
    const thrown: unknown = await accounts.create("dan", -1).catch((reason: unknown) => reason)
    expect(thrown).toBeInstanceOf(RangeError)
    expect(thrown).toMatchObject({ message: "dan owes money" })
    expect((await stack.here.env().status())?.instances).toBe(instances)
  })

  test("lets calls overlap where they await, as it would locally", async () => {
    const accounts = await cls(Account).to(stack.here)
    await using account = await accounts.create("eve")
    await Promise.all([account.careless(1), account.careless(2), account.careless(4)])
    expect([1, 2, 4]).toContain(await account.get("balance"))
  })

  test("shares nothing with other instances", async () => {
    const accounts = await cls(Account).to(stack.here)
    const all = await Promise.all([1, 2, 3].map((n) => accounts.create(`n${n}`, n)))
    await Promise.all(all.map((account) => account.deposit(10)))
    expect(await Promise.all(all.map((account) => account.get("balance")))).toEqual([11, 12, 13])
    await Promise.all(all.map((account) => account.release()))
  })

  test("refuses what cannot travel by the path that its caller knows", async () => {
    const accounts = await cls(Account).to(stack.here)
    await using account = await accounts.create("fay")
    // @ts-expect-error -- no number
    const error = await caught(account.deposit(1, { save: () => 1 }))
    expect(error).toMatchObject({ code: "VALUE_NOT_SENDABLE", path: "args[1].save" })
  })

  test("has static methods and fields beside it", async () => {
    const accounts = await cls(Account).to(stack.here)
    expect(await accounts.static.rate()).toBe(0.5)
    expect(accounts.static.sync.rate()).toBe(0.5)
    expect(await accounts.static.get("limit")).toBe(100)
  })

  test("has generators, which may go on while other methods are called", async () => {
    const accounts = await cls(Account, { run: "loop" }).to(stack.here.env("generators"))
    await using account = await accounts.create("gus")
    const seen: number[] = []
    for await (const balance of account.history(3)) {
      seen.push(balance)
      await account.deposit(10)
    }
    expect(seen).toHaveLength(3)
    expect(Array.from(account.sync.history(1))).toEqual([await account.deposit(0)])
    const early = account.history(1_000_000)
    await early.next()
    await early.return(undefined)
    await until(async () => (await account.get("ended")) === 3, "its finally")
    expect(await Array.fromAsync(accounts.static.years(2))).toEqual([1, 2])
  })
})

describe("an instance on a thread of its own", () => {
  test("refuses its generators, and says what helps", async () => {
    await using stamps = await (await cls(Stamps).to(stack.here)).create()
    expect(() => stamps.all()).toThrow('send the class with cls(C, { run: "loop" })')
    expect(() => stamps.async.all()).toThrow("all is a generator")
    await using onLoop = await (
      await cls(Stamps, { run: "loop", name: "OnLoop" }).to(stack.here)
    ).create()
    onLoop.add("a")
    expect(Array.from(onLoop.all())).toEqual(["a"])
    expect(await Array.fromAsync(onLoop.async.all())).toEqual(["a"])
  })

  test("blocks for sync methods, awaits async ones, and takes calls in their order", async () => {
    const stamps = await cls(Stamps).to(stack.here)
    expect(stamps.info.run).toBe("thread")
    await using one = await stamps.create()
    expect(one.add("a")).toBe(1)
    const calls = [one.async.add("b"), one.later("c"), one.async.add("d")]
    expect(await Promise.all(calls)).toEqual([2, ["a", "b", "c"], 4])
    expect(one.sync.later("e")).toEqual(["a", "b", "c", "d", "e"])
  })

  test("is not on the main thread, and stops neither the loop nor another instance", async () => {
    const stamps = await cls(Stamps).to(stack.here)
    const accounts = await cls(Account).to(stack.here)
    await using account = await accounts.create("hal", 1)
    await using one = await stamps.create()
    await using other = await stamps.create()
    const blocked = one.async.block(60_000)
    blocked.catch(() => {})
    expect(await account.deposit(1)).toBe(2)
    expect(await other.async.add("x")).toBe(1)
    const where = await other.async.where()
    expect(where.isMain).toBe(false)
    sendSignal(where.pid, "SIGKILL")
    expect((await caught(blocked)).code).toBe("WORKER_LOST")
  })

  test("takes and gives values of any allowed size", async () => {
    const stamps = await cls(Stamps).to(stack.here)
    await using one = await stamps.create()
    const long = "x".repeat(3_000_000)
    expect(await one.async.add(long)).toBe(1)
    expect(await one.later("y")).toEqual([long, "y"])
    expect((await caught(one.async.add(long.repeat(24)))).code).toBe("PAYLOAD_TOO_LARGE")
    expect(await one.async.add("z")).toBe(3)
  })

  test("hands out a promise as a promise, and has static methods on the env's threads", async () => {
    const stamps = await cls(Stamps).to(stack.here)
    await using one = await stamps.create()
    expect(await one.promised("x")).toBe("x!")
    expect(stamps.static.shout("x")).toBe("X")
    expect(await stamps.static.async.shout("y")).toBe("Y")
  })
})
