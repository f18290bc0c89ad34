import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { isMarked, type Marks, startMarks } from "../support/mark.ts"
import { runExample } from "../support/example.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** Generator functions, as their caller sees them: awaitable, blocking by a program, blocking by a thread. */
let stack: Stack
let marks: Marks
beforeAll(async () => {
  stack = await startStack()
  marks = startMarks()
})
afterAll(async () => {
  await until(async () => (await stack.here.status()).callsInFlight === 0, "all calls to end")
  await stack[Symbol.asyncDispose]()
  marks[Symbol.dispose]()
})

async function sendCount() {
  return fn(async function* count(n: number, failAt = -1) {
    for (let i = 0; i < n; i++) {
      if (i === failAt) throw new RangeError(`no ${i}`)
      yield i
    }
    return { counted: n }
  }).to(stack.here)
}

/** Everything that a generator gives, and how it ends. */
async function drain(items: AsyncGenerator | Generator) {
  const seen: unknown[] = []
  try {
    for (;;) {
      const step = await items.next()
      if (step.done) return { seen, returned: step.value }
      seen.push(step.value)
    }
  } catch (thrown) {
    return { seen, thrown }
  }
}

/** Calls what TypeScript does not know to be a generator function. */
function called(remote: object, ...args: unknown[]): AsyncGenerator {
  const call: (...args: unknown[]) => AsyncGenerator = Reflect.get(remote, "async")
  return call(...args)
}

/** Long enough for finalizers to run, which come some turns after the collection. */
async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    Bun.gc(true)
    await Bun.sleep(5)
  }
}

async function ways() {
  const count = await sendCount()
  const resident = stack.connect({ blocking: "resident" })
  const counted =
    await resident.get<(n: number, failAt?: number) => AsyncGenerator<number>>("default/count")
  return [
    ["called", count],
    [".async()", count.async],
    [".sync() by a program", count.sync],
    [".sync() by a thread", counted.sync],
  ] as const
}

describe("an async generator function", () => {
  test("gives its items in order and then what it returns, each way", async () => {
    for (const [way, call] of await ways()) {
      expect([way, await drain(call(3))]).toEqual([
        way,
        { seen: [0, 1, 2], returned: { counted: 3 } },
      ])
      expect([way, await drain(call(0))]).toEqual([way, { seen: [], returned: { counted: 0 } }])
    }
  })

  test("throws in the middle, after exactly the items before, each way", async () => {
    for (const [way, call] of await ways()) {
      const { seen, thrown } = await drain(call(5_000, 3_333))
      expect([way, seen]).toEqual([way, Array.from({ length: 3_333 }, (_, i) => i)])
      expect(thrown).toBeInstanceOf(RangeError)
      expect(thrown).toMatchObject({ message: "no 3333", remote: { function: "count" } })
    }
  })

  test("is done for ever once it has ended", async () => {
    const items = (await sendCount())(1)
    await items.next()
    expect(await items.next()).toEqual({ done: true, value: { counted: 1 } })
    for (let i = 0; i < 3; i++) {
      const { done, value }: IteratorResult<unknown, unknown> = await items.next()
      expect({ done, value }).toEqual({ done: true, value: undefined })
    }
  })

  test("is not called before the first item is asked for", async () => {
    const noted = await fn(async function* noted(mark: string) {
      await Bun.write(mark, "")
      yield 1
    }).to(stack.here)
    const [unread, returned, read] = [marks.next(), marks.next(), marks.next()]
    noted(unread)
    const early = noted(returned)
    expect(await early.return(undefined)).toEqual({ done: true, value: undefined })
    expect(await early.next()).toEqual({ done: true, value: undefined })
    expect(await noted(read).next()).toEqual({ done: false, value: 1 })
    expect([unread, returned, read].map(isMarked)).toEqual([false, false, true])
  })

  test("refuses arguments that cannot be sent at once, and takes them as they are then", async () => {
    const echo = await fn(async function* echo(x: unknown) {
      yield x
    }).to(stack.here)
    expect(await caught(() => echo(() => 1))).toMatchObject({
      code: "VALUE_NOT_SENDABLE",
      path: "args[0]",
    })
    const list = [1]
    const items = echo(list)
    list.push(2)
    expect(await drain(items)).toMatchObject({ seen: [[1]] })
  })

  test("may use one object for all its items: each is sent as it was when it was yielded", async () => {
    const reuse = await fn(async function* reuse() {
      const point = { x: 0 }
      for (let i = 0; i < 3; i++) {
        point.x = i
        yield point
      }
    }).to(stack.here)
    for (const items of [reuse(), reuse.sync()]) {
      expect(await drain(items)).toMatchObject({ seen: [{ x: 0 }, { x: 1 }, { x: 2 }] })
    }
  })

  test("that yields what cannot be sent fails there, and its finally runs", async () => {
    const bad = await fn(async function* bad(mark: string) {
      try {
        yield 1
        yield { deep: [() => 1] }
        yield 3
      } finally {
        await Bun.write(mark, "")
      }
    }).to(stack.here)
    const mark = marks.next()
    const { seen, thrown } = await drain(bad(mark))
    expect(seen).toEqual([1])
    expect(thrown).toMatchObject({ code: "VALUE_NOT_SENDABLE", ran: "yes", path: "item.deep[0]" })
    expect(isMarked(mark)).toBe(true)
  })

  test("knows the context of its call while it runs", async () => {
    const about = await fn(async function* about() {
      const { context } = await import("bunhouse")
      yield context().function
      await Bun.sleep(1)
      yield context().function
      return context().env
    }).to(stack.here.env("told"))
    const { seen, returned } = await drain(about())
    expect({ seen, returned }).toEqual({ seen: ["about", "about"], returned: "told" })
  })

  test("lets several wait for their items at the same time, each gets its own", async () => {
    const slow = await fn(async function* slow() {
      for (let i = 0; i < 3; i++) {
        await Bun.sleep(5)
        yield i
      }
    }).to(stack.here)
    const items = slow()
    const steps = await Promise.all([items.next(), items.next(), items.next(), items.next()])
    expect(steps.map(({ value }) => value)).toEqual([0, 1, 2, undefined])
    expect(steps.map(({ done }) => done)).toEqual([false, false, false, true])
  })

  test("gives an item when it is yielded, not when the next one is", async () => {
    const pause = await fn(async function* pause(mark: string) {
      yield "first"
      while (!(await Bun.file(mark).exists())) await Bun.sleep(5)
      yield "second"
    }).to(stack.here)
    for (const call of [pause, pause.sync]) {
      const mark = marks.next()
      const items: AsyncGenerator | Generator = call(mark)
      expect(await items.next()).toMatchObject({ value: "first" })
      await Bun.write(mark, "")
      expect(await items.next()).toMatchObject({ value: "second" })
      await items.return(undefined)
    }
  })
})

describe("what is iterated", () => {
  test("can be a list that a function returns, when it was sent as a generator", async () => {
    const list = await fn((n: number) => Array.from({ length: n }, (_, i) => i), {
      name: "list",
      kind: "asyncGenerator",
    }).to(stack.here)
    expect(await drain(called(list, 3))).toMatchObject({
      seen: [0, 1, 2],
    })
  })

  test("must be iterable", async () => {
    const lie = await fn(async () => 5, { name: "lie", kind: "asyncGenerator" }).to(stack.here)
    const { thrown } = await drain(called(lie))
    expect(thrown).toMatchObject({ code: "INVALID_ARGUMENT", ran: "yes" })
  })

  test("can be called through a handle that was looked up", async () => {
    const count = await sendCount()
    expect(count.info).toMatchObject({ kind: "asyncGenerator", run: "loop" })
    const again = await stack.connect().get<typeof count>("default/count")
    expect(await Array.fromAsync(again(3))).toEqual([0, 1, 2])
  })

  test("has no map, no retries and no idempotency key", async () => {
    const count = await sendCount()
    const refused = [
      () => count.map([1]),
      () => count.with({ retries: { max: 1 } }),
      () => count.with({ idempotencyKey: "key" }),
    ]
    for (const call of refused) {
      expect(await caught(call)).toMatchObject({ code: "INVALID_ARGUMENT", ran: "no" })
    }
  })

  test("is not given up while somebody waits for it, though nobody holds it", async () => {
    const late = await fn(async function* late(mark: string) {
      while (!(await Bun.file(mark).exists())) await Bun.sleep(5)
      yield "late"
    }).to(stack.here)
    const mark = marks.next()
    const waiting = Array.from({ length: 20 }, () => late(mark).next())
    await collectGarbage()
    await Bun.write(mark, "")
    const values = (await Promise.all(waiting)).map(({ value }) => value)
    expect(values).toEqual(Array.from({ length: 20 }, () => "late"))
  })

  test("is given up when nobody can reach it any more", async () => {
    const endless = await fn(async function* endless() {
      for (let i = 0; ; i++) yield i
    }).to(stack.here)
    for (let i = 0; i < 20; i++) expect(await endless().next()).toMatchObject({ value: 0 })
    await until(async () => {
      await collectGarbage()
      // The engine may still see one or two of them on its stack.
      return (await stack.here.status()).callsInFlight <= 5
    }, "streams to be given up")
    await stack.here.env().restart()
  })

  test("refuses windows that are none", async () => {
    const count = await sendCount()
    for (const window of [0, -1, 1.5, Number.NaN, 1 << 21]) {
      expect(await caught(() => count.with({ stream: { window } }))).toMatchObject({
        code: "INVALID_ARGUMENT",
      })
    }
  })
})

test("examples/streaming.ts does what it says", async () => {
  const { stdout } = await runExample(stack, "streaming.ts")
  expect(stdout.split("\n")).toEqual([
    "primes: 2 3 5 7 11 13 17 19 23 29",
    "countdown: 5 4 3 2 1",
    "longest: streams",
    "1: streams",
    "2: stay",
    "3: where",
    "4: they",
    "5: are",
    "",
  ])
})
