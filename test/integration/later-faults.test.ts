import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { fn, type Remote } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { isMarked, type Marks, startMarks } from "../support/mark.ts"
import { sendSignal } from "../support/processes.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

let stack: Stack
let marks: Marks
/** Says that it runs (`<path>.began`) and answers once somebody leaves `<path>.go`. */
let gate: Remote<(path: string) => Promise<string>>
/** Says that it ran. */
let mark: Remote<(path: string, x: unknown) => Promise<unknown>>

beforeAll(async () => {
  stack = await startStack()
  marks = startMarks()
  gate = await fn(
    async (path: string) => {
      const { appendFile } = await import("node:fs/promises")
      const { context } = await import("bunhouse")
      const { signal } = context()
      await appendFile(`${path}.began`, "x")
      while (!(await Bun.file(`${path}.go`).exists())) {
        if (signal.aborted) {
          await Bun.write(`${path}.aborted`, "")
          break
        }
        await Bun.sleep(5)
      }
      return path
    },
    { name: "gate" },
  ).to(stack.here.env("far"))
  mark = await fn(
    async (path: string, x: unknown) => {
      await Bun.write(path, "")
      return x
    },
    { name: "mark" },
  ).to(stack.here.env("near"))
})
afterAll(async () => {
  await until(async () => (await stack.here.status()).callsInFlight === 0, "no call is left")
  marks[Symbol.dispose]()
  await stack[Symbol.asyncDispose]()
})

async function kill(env: string): Promise<void> {
  sendSignal((await stack.here.env(env).status())?.pid, "SIGKILL")
}

/** How often the gate of `path` has begun. The file is there before what is written into it. */
function timesBegun(path: string): number {
  return isMarked(`${path}.began`) ? readFileSync(`${path}.began`).length : 0
}

describe("places", () => {
  const numbers = Array.from({ length: 100 }, (_, i) => i)

  test("are not held by calls that wait for others: two threads do for a hundred of them", async () => {
    const env = stack.here.env("threads", { threads: { max: 2 } })
    const f = await fn((x: number) => x * 2, { name: "f" }).to(env)
    const g = await fn((x: number) => x + 1, { name: "g" }).to(env)
    const results = g.map(
      numbers.map((i) => f.later(i)),
      { concurrency: 100 },
    )
    expect(await results.toArray()).toEqual(numbers.map((i) => i * 2 + 1))
  })

  test("nor on the loop, and are taken one after another once the results are there", async () => {
    const env = stack.here.env("loop", { concurrency: 1 })
    const plus = await fn(async (x: number) => x + 1, { name: "plus" }).to(env)
    const far = await fn(async (x: number) => x + 1, { name: "plus" }).to(stack.here.env("far"))
    const one = await fn(
      async (x: number) => {
        const running = Number(process.env["RUNNING"] ?? 0) + 1
        process.env["RUNNING"] = String(running)
        await Bun.sleep(1)
        process.env["RUNNING"] = String(running - 1)
        if (running > 1) throw new Error(`${running} calls run at once`)
        return x + 1
      },
      { name: "one" },
    ).to(env)
    const calls = numbers.slice(0, 20).map((i) => one(plus.later(far.later(i))))
    expect(await Promise.all(calls)).toEqual(numbers.slice(3, 23))
  })
})

describe("g(f.later(x))", () => {
  test("fails when the env of g is killed before g runs, and f is cancelled", async () => {
    const [path, ran] = [marks.next(), marks.next()]
    const call = caught(mark(ran, gate.later(path)))
    await until(() => timesBegun(path) === 1, "f to run")
    await kill("near")
    expect(await call).toMatchObject({ code: "WORKER_LOST", ran: "maybe", env: "near" })
    await until(() => isMarked(`${path}.aborted`), "f to hear of it")
    expect(isMarked(ran)).toBe(false)
    expect(await mark(ran, "again")).toBe("again")
  })

  test("ends by g's deadline also once f has answered", async () => {
    const path = marks.next()
    const wait = await fn(
      async (file: string, x: string) => {
        const { context } = await import("bunhouse")
        const { signal } = context()
        const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve))
        await Bun.write(`${file}.ran`, "")
        if (!signal.aborted) await aborted
        await Bun.write(`${file}.ended`, "")
        return x
      },
      { name: "wait" },
    ).to(stack.here.env("near"))
    const call = caught(wait.with({ timeoutMs: 1_500 })(path, gate.later(path)))
    await until(() => timesBegun(path) === 1, "f to run")
    await Bun.write(`${path}.go`, "")
    await until(() => isMarked(`${path}.ran`), "g to run")
    expect(await call).toMatchObject({ code: "DEADLINE_EXCEEDED", ran: "maybe", env: "near" })
    await until(() => isMarked(`${path}.ended`), "g to hear of it")
  })

  test("is told when the broker is killed meanwhile, and can be called again", async () => {
    const [path, ran] = [marks.next(), marks.next()]
    const call = caught(mark(ran, gate.later(path)))
    await until(() => timesBegun(path) === 1, "f to run")
    sendSignal((await stack.here.status()).broker.pid, "SIGKILL")
    expect(await call).toMatchObject({ code: "BROKER_LOST", ran: "maybe" })
    await until(() => isMarked(`${path}.aborted`), "f to hear of it")
    await Bun.write(`${path}.go`, "")
    const again = mark.with({ retries: { max: 5 } })
    expect(await again(ran, gate.with({ idempotencyKey: "b" }).later(path))).toBe(path)
  })

  test("runs the version of g that the call was made with, though another was sent meanwhile", async () => {
    const path = marks.next()
    const env = stack.here.env("near")
    const first = await fn(async (x: string) => `first ${x}`, { name: "versioned" }).to(env)
    const call = first(gate.later(path))
    await until(() => timesBegun(path) === 1, "f to run")
    const second = await fn(async (x: string) => `second ${x}`, { name: "versioned" }).to(env)
    await Bun.write(`${path}.go`, "")
    expect(await call).toBe(`first ${path}`)
    expect(await second(gate.later(path))).toBe(`second ${path}`)
  })

  test("outlasts a change of g's env, whose old process goes on with it", async () => {
    const [path, ran] = [marks.next(), marks.next()]
    const call = mark(ran, gate.later(path))
    await until(() => timesBegun(path) === 1, "f to run")
    const before = (await stack.here.env("near").status())?.pid
    await stack.here.env("near", { vars: { CHANGED: "yes" } }).ready()
    expect((await stack.here.env("near").status())?.pid).not.toBe(before)
    await Bun.write(`${path}.go`, "")
    expect(await call).toBe(path)
  })
})

describe("an idempotency key of g", () => {
  test("keeps no failure of f for an outcome of g: the next call tries again", async () => {
    const path = marks.next()
    const flaky = await fn(
      async (file: string) => {
        const { appendFile } = await import("node:fs/promises")
        await appendFile(file, "x")
        const times = (await Bun.file(file).text()).length
        if (times === 1) throw new Error("not yet")
        return times
      },
      { name: "flaky" },
    ).to(stack.here.env("far"))
    const once = mark.with({ idempotencyKey: "once" })
    const ran = marks.next()
    const first: unknown = await once(ran, flaky.later(path)).catch((error: unknown) => error)
    expect(first).toMatchObject({ message: "not yet", remote: { function: "flaky" } })
    expect(isMarked(ran)).toBe(false)
    expect(await once(ran, flaky.later(path))).toBe(2)
    expect(await once(ran, flaky.later(path))).toBe(2)
    expect(await Bun.file(path).text()).toBe("xx")
  })

  test("lets g be tried again after f may have run only where f has a key, too", async () => {
    const keyed = { idempotencyKey: "again", retries: { max: 5, baseMs: 50 } }
    const [first, second] = [marks.next(), marks.next()]
    const without = caught(mark.with(keyed)(marks.next(), gate.later(first)))
    await until(() => timesBegun(first) === 1, "f to run")
    await kill("far")
    expect(await without).toMatchObject({ code: "WORKER_LOST", ran: "maybe", env: "far" })
    expect(timesBegun(first)).toBe(1)

    const f = gate.with({ idempotencyKey: "f" })
    const withKey = mark.with({ ...keyed, idempotencyKey: "g" })(marks.next(), f.later(second))
    await until(() => timesBegun(second) === 1, "f to run")
    await kill("far")
    await until(() => timesBegun(second) === 2, "f to run again")
    await Bun.write(`${second}.go`, "")
    expect(await withKey).toBe(second)
  })
})

describe("one of several that fails", () => {
  test("without having run says no more of the others, which may have", async () => {
    const doomed = stack.here.env("doomed")
    const gone = await fn(async () => 1, { name: "gone" }).to(doomed)
    await doomed.remove()
    const path = marks.next()
    const alone = await caught(mark(marks.next(), gone.later()))
    expect(alone).toMatchObject({ code: "NOT_FOUND", ran: "no" })
    const both = await fn(async (a: number, b: string) => [a, b], { name: "both" }).to(
      stack.here.env("near"),
    )
    const one = await caught(both(gone.later(), gate.later(path)))
    expect(one).toMatchObject({ code: "NOT_FOUND", ran: "maybe" })
  })
})
