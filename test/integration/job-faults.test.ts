import { describe, expect, test } from "bun:test"
import { fn } from "../../client/index.ts"
import { caught } from "../support/caught.ts"
import { isMarked, startMarks } from "../support/mark.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"
import { sendSignal } from "../support/processes.ts"

/** Jobs while the env process, the broker and the daemon are killed under them. Backoff makes these take seconds. */
const PATIENCE = 30_000

/**
 * A function that writes a line per run, and then waits until the file `<mark>.go` is there. It knows by the lines how
 * often it has run.
 */
async function sendWork(stack: Stack, env = "default") {
  return await fn(
    async (mark: string) => {
      const { appendFileSync, existsSync, readFileSync } = await import("node:fs")
      appendFileSync(mark, `${process.pid}\n`)
      while (!existsSync(`${mark}.go`)) await Bun.sleep(10)
      return readFileSync(mark, "utf8").trim().split("\n").length
    },
    { name: "work" },
  ).to(stack.here.env(env))
}

async function pidsIn(mark: string): Promise<number[]> {
  if (!isMarked(mark)) return []
  // It is there before it is written.
  const text = await Bun.file(mark).text()
  return text
    .split("\n")
    .map(Number)
    .filter((pid) => pid > 0)
}

/** Waits until the function of `mark` has begun so many times; gives the pid of the last one. */
async function begun(mark: string, times: number): Promise<number> {
  return await until(
    async () => {
      const pids = await pidsIn(mark)
      return pids.length >= times ? pids[times - 1] : undefined
    },
    `${times} beginnings of the function`,
    10_000,
  )
}

async function letGo(mark: string): Promise<void> {
  await Bun.write(`${mark}.go`, "")
}

/** Kills one part of the stack while the function of `mark` runs; resolves when the stack is whole again. */
type Kill = (stack: Stack, pid: number) => Promise<void>

const KILLS: readonly (readonly [what: string, kill: Kill, code: string])[] = [
  [
    "the env process",
    async (_stack, pid) => {
      sendSignal(pid, "SIGKILL")
    },
    "WORKER_LOST",
  ],
  [
    "the broker",
    async (stack) => {
      sendSignal((await stack.here.status()).broker.pid, "SIGKILL")
    },
    "BROKER_LOST",
  ],
  [
    "the daemon",
    async (stack) => {
      await stack.kill()
      await stack.startAgain()
    },
    "WORKER_LOST",
  ],
]

describe.each(KILLS)("kill -9 of %s", (_what, kill, code) => {
  test(
    "ends an ordinary job that ran as lost, ran maybe; it does not run again, and what waited runs",
    async () => {
      await using stack = await startStack()
      using marks = startMarks()
      const work = await sendWork(stack)
      const [mark, later] = [marks.next(), marks.next()]
      const job = await work.start(mark)
      const waiting = await work.with({ job: { delayMs: 2_000 } }).start(later)
      await kill(stack, await begun(mark, 1))
      const error = await caught(stack.connect().job(job.id).result())
      expect(error).toMatchObject({ code, ran: "maybe", function: "work" })
      expect(await job.status()).toMatchObject({ state: "failed", attempts: 1, dead: false })
      await letGo(later)
      expect(await waiting.result()).toBe(1)
      expect(await pidsIn(mark)).toHaveLength(1)
    },
    PATIENCE,
  )

  test(
    "does not end a durable job: it is run again, by itself",
    async () => {
      await using stack = await startStack()
      using marks = startMarks()
      const work = await sendWork(stack)
      const mark = marks.next()
      const job = await work.with({ job: { durable: true } }).start(mark)
      const result = job.result()
      await kill(stack, await begun(mark, 1))
      await begun(mark, 2)
      await letGo(mark)
      expect(await result).toBe(2)
      expect(await job.status()).toMatchObject({ state: "succeeded", attempts: 2 })
    },
    PATIENCE,
  )
})

describe("a restart of the daemon", () => {
  test(
    "keeps results, errors, schedules, and jobs that wait",
    async () => {
      await using stack = await startStack()
      using marks = startMarks()
      const work = await sendWork(stack)
      const boom = await fn(
        async () => {
          throw new RangeError("too far")
        },
        { name: "boom" },
      ).to(stack.here)
      const [mark, later] = [marks.next(), marks.next()]
      await letGo(mark)
      const [done, failed] = [await work.start(mark), await boom.start()]
      await Promise.all([done.result(), caughtAny(failed.result())])
      const waiting = await work.with({ job: { delayMs: 1_000 } }).start(later)
      await stack.here.schedule("nightly", "0 3 * * *", work, [later])
      await stack.stop()
      await stack.startAgain()
      const elsewhere = stack.connect()
      expect(await elsewhere.job<number>(done.id).result()).toBe(1)
      expect(await caughtAny(elsewhere.job(failed.id).result())).toBeInstanceOf(RangeError)
      expect((await elsewhere.schedules()).map(({ name }) => name)).toEqual(["nightly"])
      await letGo(later)
      expect(await elsewhere.job<number>(waiting.id).result()).toBe(1)
    },
    PATIENCE,
  )

  test(
    "while somebody waits for a result is not noticed by him",
    async () => {
      await using stack = await startStack()
      using marks = startMarks()
      const work = await sendWork(stack)
      const mark = marks.next()
      const job = await work.with({ job: { durable: true } }).start(mark)
      const result = job.result({ timeoutMs: 25_000 })
      await begun(mark, 1)
      await stack.kill()
      await stack.startAgain()
      await letGo(mark)
      expect(await result).toBeGreaterThanOrEqual(1)
    },
    PATIENCE,
  )
})

describe("a durable job", () => {
  test(
    "whose env process dies each time is in the dead-letter list after its attempts",
    async () => {
      await using stack = await startStack()
      const die = await fn(async () => process.exit(3), { name: "die" }).to(stack.here.env("grim"))
      const job = await die.with({ job: { durable: true, attempts: 2 } }).start()
      expect(await caught(job.result())).toMatchObject({ code: "WORKER_LOST", ran: "maybe" })
      expect(await job.status()).toMatchObject({ state: "failed", attempts: 2, dead: true })
      expect((await stack.here.jobs({ state: "dead" })).map(({ id }) => id)).toEqual([job.id])
    },
    PATIENCE,
  )
})

describe("a job whose function is deleted while it waits", () => {
  test("fails as NOT_FOUND, and says that nothing ran", async () => {
    await using stack = await startStack()
    using marks = startMarks()
    const work = await sendWork(stack, "gone")
    const job = await work.with({ job: { delayMs: 300 } }).start(marks.next())
    await stack.here.env("gone").remove()
    expect(await caught(job.result())).toMatchObject({ code: "NOT_FOUND", ran: "no" })
    expect((await caught(work.start(marks.next()))).code).toBe("NOT_FOUND")
  })
})

describe("jobs that fill their places", () => {
  test("leave places to calls", async () => {
    await using stack = await startStack()
    using marks = startMarks()
    const env = stack.here.env("narrow", { concurrency: 4 })
    await env.ready()
    const work = await sendWork(stack, "narrow")
    const paths = Array.from({ length: 6 }, () => marks.next())
    const jobs = await Promise.all(paths.map((path) => work.start(path)))
    await until(async () => (await env.status())?.running === 2, "two jobs to run")
    const mark = marks.next()
    await letGo(mark)
    expect(await work(mark)).toBe(1)
    await Promise.all(paths.map(letGo))
    expect(await Promise.all(jobs.map((job) => job.result()))).toEqual([1, 1, 1, 1, 1, 1])
  })
})

async function caughtAny(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => "no rejection",
    (error: unknown) => error,
  )
}
