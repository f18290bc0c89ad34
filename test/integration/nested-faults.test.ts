import { describe, expect, test } from "bun:test"
import { renameSync } from "node:fs"
import { join } from "node:path"
import { cls, fn } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { isMarked, startMarks } from "../support/mark.ts"
import { sendSignal } from "../support/processes.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

type Wait = (ms: number, mark: string) => Promise<string>

class Held {
  async touch(): Promise<string> {
    return "touched"
  }
}

/** Travels with the function that uses it: its env has one of its own. */
const known = new Map<string, Wait>()

/** Calls `inner/wait`, of which it keeps the handle. */
async function sendOuter(stack: Stack) {
  await fn(async function wait(ms: number, mark: string): Promise<string> {
    const { context } = await import("bunhouse")
    const { signal } = context()
    await Bun.write(`${mark}.started`, "")
    const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve))
    await Promise.race([aborted, Bun.sleep(ms)])
    if (signal.aborted) await Bun.write(`${mark}.aborted`, "")
    return "waited"
  }).to(stack.here.env("inner"))
  return fn(async function outer(ms: number, mark: string): Promise<string> {
    const { context } = await import("bunhouse")
    const inner = known.get("inner") ?? (await context().here.get<Wait>("inner/wait"))
    known.set("inner", inner)
    try {
      return await inner(ms, mark)
    } catch (error) {
      await Bun.write(
        `${mark}.caught`,
        error instanceof Error && "code" in error ? String(error.code) : "",
      )
      throw error
    }
  }).to(stack.here.env("outer"))
}

describe("a nested call from a loop", () => {
  test("goes over the broker: it needs neither the daemon's address nor the token", async () => {
    using marks = startMarks()
    await using stack = await startStack()
    const outer = await sendOuter(stack)
    expect(await outer(0, marks.next())).toBe("waited")
    const anew = await fn(async function anew() {
      const { context } = await import("bunhouse")
      await context().here.get("inner/wait")
    }).to(stack.here.env("outer"))
    const token = join(stack.home, "token")
    renameSync(token, `${token}.away`)
    // Control: whatever goes by HTTP fails now.
    expect((await caught(anew())).code).toBe("UNAUTHENTICATED")
    expect(await outer(0, marks.next())).toBe("waited")
    renameSync(`${token}.away`, token)
  })

  test("is told when the broker is killed, is cancelled, and the next one is made", async () => {
    using marks = startMarks()
    await using stack = await startStack()
    const outer = await sendOuter(stack)
    const mark = marks.next()
    const call = caught(outer(60_000, mark))
    await until(() => isMarked(`${mark}.started`), "the inner call to run")
    sendSignal((await stack.here.status()).broker.pid, "SIGKILL")
    expect(await call).toMatchObject({ code: "BROKER_LOST", ran: "maybe" })
    await until(() => isMarked(`${mark}.caught`), "the outer function to be told")
    await until(() => isMarked(`${mark}.aborted`), "the inner function to hear of it")
    expect(await outer.with({ retries: { max: 5 } })(0, marks.next())).toBe("waited")
    const idle = async () => (await stack.here.status()).callsInFlight === 0
    await until(idle, "all calls to end")
  })

  test("is lost with the daemon, as the call around it is", async () => {
    using marks = startMarks()
    await using stack = await startStack()
    const outer = await sendOuter(stack)
    const mark = marks.next()
    const call = caught(outer(60_000, mark))
    await until(() => isMarked(`${mark}.started`), "the inner call to run")
    await stack.kill()
    expect((await call).code).toBe("DAEMON_LOST")
    await stack.startAgain()
    expect(await outer(0, marks.next())).toBe("waited")
  })

  test("is cancelled when its own env process is killed", async () => {
    using marks = startMarks()
    await using stack = await startStack()
    const outer = await sendOuter(stack)
    const mark = marks.next()
    const call = caught(outer(60_000, mark))
    await until(() => isMarked(`${mark}.started`), "the inner call to run")
    sendSignal((await stack.here.env("outer").status())?.pid, "SIGKILL")
    expect(await call).toMatchObject({ code: "WORKER_LOST", env: "outer" })
    await until(() => isMarked(`${mark}.aborted`), "the inner function to hear of it")
    expect(await outer(0, marks.next())).toBe("waited")
  })

  test("streams results and arguments", async () => {
    await using stack = await startStack()
    await fn(async function* double(numbers: AsyncIterable<number>) {
      for await (const n of numbers) yield n * 2
    }).to(stack.here.env("inner"))
    const sum = await fn(async function sum(count: number): Promise<number> {
      const { context } = await import("bunhouse")
      async function* numbers() {
        for (let n = 0; n < count; n++) yield n
      }
      const inner =
        await context().here.get<(n: AsyncIterable<number>) => AsyncGenerator<number>>(
          "inner/double",
        )
      let total = 0
      for await (const n of inner(numbers())) total += n
      return total
    }).to(stack.here.env("outer"))
    expect(await sum(50_000)).toBe(50_000 * 49_999)
  })

  test("takes arguments and results of megabytes, and says which are too large", async () => {
    await using stack = await startStack()
    await fn(async (bytes: Uint8Array) => bytes, { name: "echo" }).to(stack.here.env("inner"))
    const pass = await fn(async function pass(size: number): Promise<number> {
      const { context } = await import("bunhouse")
      const inner =
        await context().here.get<(bytes: Uint8Array) => Promise<Uint8Array>>("inner/echo")
      return (await inner(new Uint8Array(size))).length
    }).to(stack.here.env("outer"))
    const mib = 1024 * 1024
    expect(await Promise.all([pass(6 * mib), pass(6 * mib), pass(mib)])).toEqual([
      6 * mib,
      6 * mib,
      mib,
    ])
    expect(await pass(8 * mib)).toBe(8 * mib)
    expect((await caught(pass(65 * mib))).code).toBe("PAYLOAD_TOO_LARGE")
  })

  test("of a function that was cancelled is refused, but for the release of what it holds", async () => {
    using marks = startMarks()
    await using stack = await startStack()
    await cls(Held).to(stack.here.env("inner"))
    const hold = await fn(async function hold(mark: string): Promise<void> {
      const { context } = await import("bunhouse")
      const { here, signal } = context()
      const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve))
      const remote = await here.getClass<typeof Held>("inner/Held")
      await using held = await remote.create()
      await Bun.write(`${mark}.started`, await held.touch())
      await aborted
      await held.touch().catch((error: unknown) => {
        require("node:fs").writeFileSync(`${mark}.refused`, String(error))
      })
    }).to(stack.here.env("outer"))
    const mark = marks.next()
    const controller = new AbortController()
    const call = caught(hold.with({ signal: controller.signal })(mark))
    await until(() => isMarked(`${mark}.started`), "the instance to be used")
    expect((await stack.here.env("inner").status())?.instances).toBe(1)
    controller.abort()
    expect((await call).code).toBe("CANCELLED")
    await until(() => isMarked(`${mark}.refused`), "the next call to be refused")
    const isReleased = async () => (await stack.here.env("inner").status())?.instances === 0
    await until(isReleased, "the instance to be released")
  })
})
