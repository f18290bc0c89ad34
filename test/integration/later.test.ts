import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type CallContext, fn, type Remote } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { isMarked, type Marks, startMarks } from "../support/mark.ts"
import { sendSignal } from "../support/processes.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

let stack: Stack
let marks: Marks
let double: Remote<(x: number) => Promise<number>>
let doubleSync: Remote<(x: number) => number>
let sum: Remote<(...xs: number[]) => Promise<number>>
let sumSync: Remote<(...xs: number[]) => number>
let fail: Remote<(what: string) => Promise<number>>
let sleep: Remote<(ms: number, mark: string) => Promise<number>>
let mark: Remote<(path: string, x: number) => Promise<number>>

beforeAll(async () => {
  stack = await startStack()
  marks = startMarks()
  const far = stack.here.env("far")
  double = await fn(async (x: number) => x * 2, { name: "double" }).to(far)
  doubleSync = await fn((x: number) => x * 2, { name: "doubleSync" }).to(far)
  sum = await fn(async (...xs: number[]) => xs.reduce((a, b) => a + b, 0), { name: "sum" }).to(
    stack.here,
  )
  sumSync = await fn((...xs: number[]) => xs.reduce((a, b) => a + b, 0), { name: "sumSync" }).to(
    stack.here,
  )
  fail = await fn(
    async (what: string): Promise<number> => {
      throw new RangeError(what)
    },
    { name: "fail" },
  ).to(far)
  sleep = await fn(
    async (ms: number, path: string) => {
      const { context } = await import("bunhouse")
      const { signal } = context()
      await Bun.write(`${path}.began`, "")
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, ms)
        signal.addEventListener("abort", () => {
          clearTimeout(timer)
          void Bun.write(`${path}.aborted`, "").then(resolve)
        })
      })
      return ms
    },
    { name: "sleep" },
  ).to(far)
  mark = await fn(
    async (path: string, x: number) => {
      await Bun.write(path, "")
      return x
    },
    { name: "mark" },
  ).to(stack.here)
})
afterAll(async () => {
  await until(async () => (await stack.here.status()).callsInFlight === 0, "no call is left")
  marks[Symbol.dispose]()
  await stack[Symbol.asyncDispose]()
})

describe("g(f.later(x))", () => {
  test("is g(await f(x)), in each way of calling, on the loop and on threads, across envs", async () => {
    expect(await sum(double.later(4), 1)).toBe(9)
    expect(await sumSync.async(1, doubleSync.later(4))).toBe(9)
    expect(sum.sync(doubleSync.later(4), 1)).toBe(9)
    expect(sumSync(1, double.later(4))).toBe(9)
  })

  test("of the same env", async () => {
    expect(await sum(sum.later(1, 2), sumSync.later(3, 4))).toBe(10)
  })

  test("makes chains", async () => {
    expect(await sum(double.later(double.later(double.later(1))), 1)).toBe(9)
  })

  test("calls f once, however often the result is asked for, and anew for each call of g", async () => {
    const count = await fn(
      async () => {
        const calls = Number(process.env["CALLS"] ?? 0) + 1
        process.env["CALLS"] = String(calls)
        return calls
      },
      { name: "count" },
    ).to(stack.here.env("counting"))
    const counted = count.later()
    expect(await sum(counted, counted, counted)).toBe(3)
    expect(await sum(counted)).toBe(2)
  })

  test("calls all of them at the same time", async () => {
    const [one, other] = [marks.next(), marks.next()]
    const call = sum(sleep.later(60_000, one), sleep.later(60_000, other))
    void call.catch(() => {})
    await until(() => isMarked(`${one}.began`) && isMarked(`${other}.began`), "both to begin")
    sendSignal((await stack.here.env("far").status())?.pid ?? 0, "SIGKILL")
    expect(await caught(call)).toMatchObject({ code: "WORKER_LOST", env: "far" })
  })

  test("goes with map, generators and streams", async () => {
    const upTo = await fn(
      async function* (n: number) {
        for (let i = 0; i < n; i++) yield i
      },
      { name: "upTo" },
    ).to(stack.here)
    expect(await Array.fromAsync(upTo(double.later(2)))).toEqual([0, 1, 2, 3])
    expect(Array.from(upTo.sync(double.later(2)))).toEqual([0, 1, 2, 3])
    const total = await fn(
      async (xs: AsyncIterable<number>, more: number) => {
        let all = more
        for await (const x of xs) all += x
        return all
      },
      { name: "total" },
    ).to(stack.here)
    expect(await total(upTo(4), double.later(5))).toBe(16)
    expect(await sum.map([double.later(1), 5]).toArray()).toEqual([2, 5])
  })

  test("passes large results on", async () => {
    const make = await fn(async (n: number) => new Uint8Array(n).fill(3), { name: "make" }).to(
      stack.here.env("far"),
    )
    const size = await fn(async (x: Uint8Array) => [x.length, x[0], x.at(-1)], { name: "size" }).to(
      stack.here,
    )
    expect(await size(make.later(9_000_000))).toEqual([9_000_000, 3, 3])
  })

  test("tells f where it stands: depth, root and deadline", async () => {
    type Told = Pick<CallContext, "depth" | "rootCallId"> & { leftMs: number }
    const tell = await fn(
      async (): Promise<Told> => {
        const { context } = await import("bunhouse")
        const { depth, rootCallId, deadline } = context()
        return { depth, rootCallId, leftMs: Number(deadline) - Date.now() }
      },
      { name: "tell" },
    ).to(stack.here.env("far"))
    const pass = await fn(
      async (told: Told) => {
        const { context } = await import("bunhouse")
        return { ...told, own: context().callId }
      },
      { name: "pass" },
    ).to(stack.here)
    const { depth, rootCallId, leftMs, own } = await pass.with({ timeoutMs: 5_000 })(tell.later())
    expect(depth).toBe(1)
    expect(rootCallId).toBe(own)
    expect(leftMs).toBeLessThanOrEqual(5_000)
  })
})

describe("when f fails", () => {
  test("so does g, which does not run: with what f threw, and who it was", async () => {
    const path = marks.next()
    const error: unknown = await mark(path, fail.later("no")).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(RangeError)
    expect(error).toMatchObject({ message: "no", remote: { env: "far", function: "fail" } })
    expect(isMarked(path)).toBe(false)
    expect(() => sumSync(fail.later("no"))).toThrow(RangeError)
  })

  test("in a chain, the one who threw is told", async () => {
    const error: unknown = await sum(double.later(fail.later("deep"))).catch((e: unknown) => e)
    expect(error).toMatchObject({ message: "deep", remote: { env: "far", function: "fail" } })
  })

  test("with an error of the platform", async () => {
    const gone = await fn(async () => 1, { name: "gone" }).to(stack.here.env("mortal"))
    await stack.here.env("mortal").remove()
    const path = marks.next()
    expect(await caught(mark(path, gone.later()))).toMatchObject({ code: "NOT_FOUND", ran: "no" })
    expect(isMarked(path)).toBe(false)
  })
})

describe("the end of g", () => {
  test("by cancel ends f", async () => {
    const [path, ran] = [marks.next(), marks.next()]
    const stop = new AbortController()
    const call = mark.with({ signal: stop.signal })(ran, sleep.later(60_000, path))
    void call.catch(() => {})
    await until(() => isMarked(`${path}.began`), "f to begin")
    stop.abort()
    expect((await caught(call)).code).toBe("CANCELLED")
    await until(() => isMarked(`${path}.aborted`), "f to hear of it")
    expect(isMarked(ran)).toBe(false)
  })

  test("by its deadline ends f", async () => {
    const path = marks.next()
    const call = sum.with({ timeoutMs: 300 })(sleep.later(60_000, path))
    expect((await caught(call)).code).toBe("DEADLINE_EXCEEDED")
    await until(() => isMarked(`${path}.aborted`), "f to hear of it")
  })
})

describe("what f.later(x) returns", () => {
  const INVALID = { code: "INVALID_ARGUMENT" }

  test("is of no other use", async () => {
    const later = double.later(1)
    expect(await caught(Promise.resolve(later))).toMatchObject(INVALID)
    expect(await caught(() => later.toFixed())).toMatchObject(INVALID)
    expect(await caught(() => JSON.stringify(later))).toMatchObject(INVALID)
    const any = await stack.here.get("sum")
    expect(await caught(async () => any([later]))).toMatchObject({ code: "VALUE_NOT_SENDABLE" })
  })

  test("is refused where it cannot be kept", async () => {
    expect(await caught(() => double.with({ retries: { max: 1 } }).later(1))).toMatchObject(INVALID)
    expect(await caught(() => sum.start(double.later(1)))).toMatchObject(INVALID)
    const other = await startStack()
    const elsewhere = await fn(async (x: number) => x, { name: "elsewhere" }).to(other.here)
    expect(await caught(() => sum(elsewhere.later(1)))).toMatchObject(INVALID)
    await other[Symbol.asyncDispose]()
  })
})
