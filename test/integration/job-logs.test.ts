import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { fn, type Job, type LogLine } from "../../client/index.ts"
import { JOB_LOG_BYTES_MAX } from "../../protocol/limits.ts"
import { caught } from "../support/caught.ts"
import { ask } from "../support/http.ts"
import { startMarks } from "../support/mark.ts"
import { sendSignal } from "../support/processes.ts"
import { type Stack, startStack } from "../support/stack.ts"
import { until } from "../support/until.ts"

/** What jobs print, through the whole stack. */
let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack[Symbol.asyncDispose]())

async function all(lines: AsyncIterable<LogLine>): Promise<LogLine[]> {
  return await Array.fromAsync(lines)
}

const textsOf = (lines: readonly LogLine[]) => lines.map(({ stream, text }) => `${stream} ${text}`)

async function sendTalk(to: Stack = stack) {
  return await fn(
    async (name: string) => {
      console.log("hello", name)
      console.error("%s is wrong", name)
      process.stdout.write("no end")
      return name
    },
    { name: "talk" },
  ).to(to.here.env("talk", { loopBlockMs: 0 })) // a busy machine is no line of the job's
}

const TALK = (name: string) => [`stdout hello ${name}`, `stderr ${name} is wrong`, "stdout no end"]

describe("job.logs()", () => {
  test("gives what the job printed to any client, in order, with the id of the call", async () => {
    const job = await (await sendTalk()).start("Ada")
    await job.result()
    const lines = await all(stack.connect().job(job.id).logs())
    expect(textsOf(lines)).toEqual(TALK("Ada"))
    const { callId = "none" } = await job.status()
    for (const line of lines) {
      expect(line).toMatchObject({ callId, env: "talk", function: "talk" })
      expect(Math.abs(Date.now() - line.time.getTime())).toBeLessThan(60_000)
    }
    // Followed, it ends at once: so has the job.
    expect(await all(job.logs({ follow: true }))).toEqual(lines)
  })

  test("gives what a function on a thread printed, also while it is busy", async () => {
    const busy = await fn(
      (ms: number) => {
        console.log("begun")
        const end = Date.now() + ms
        // Lines leave while the thread prints.
        while (Date.now() < end) {
          console.log("at work")
          Bun.sleepSync(20)
        }
        console.log("done")
      },
      { name: "busy" },
    ).to(stack.here.env("threads"))
    const job = await busy.start(60_000)
    const seen: string[] = []
    for await (const { text } of job.logs({ follow: true })) {
      seen.push(text)
      if (text === "at work") break
    }
    expect(seen).toEqual(["begun", "at work"])
    expect(await job.status()).toMatchObject({ state: "running" })
    await job.cancel()
    const short = await busy.start(0)
    await short.result()
    expect(textsOf(await all(short.logs()))).toEqual(["stdout begun", "stdout done"])
  })

  test("follows a job until it has ended, and misses nothing", async () => {
    const count = await fn(
      async (to: number) => {
        for (let i = 0; i < to; i++) {
          console.log(`line ${i}`)
          if (i % 10 === 0) await Bun.sleep(30)
        }
        return "counted"
      },
      { name: "count" },
    ).to(stack.here)
    const job = await count.start(600)
    const followers = [job, stack.connect().job(job.id)].map((each) =>
      all(each.logs({ follow: true })),
    )
    const expected = Array.from({ length: 600 }, (_, i) => `stdout line ${i}`)
    for (const lines of await Promise.all(followers)) expect(textsOf(lines)).toEqual(expected)
    expect(await job.status()).toMatchObject({ state: "succeeded" })
  })

  test("of a job that waits is empty; its signal ends the reading, not the job", async () => {
    const talk = await sendTalk()
    const job = await talk.with({ job: { delayMs: 60_000 } }).start("Bob")
    expect(await all(job.logs())).toEqual([])
    const reason = new Error("seen enough")
    const controller = new AbortController()
    const reading = all(job.logs({ follow: true, signal: controller.signal }))
    const thrown = reading.catch((error: unknown) => error)
    setTimeout(() => controller.abort(reason), 50)
    expect(await thrown).toBe(reason)
    expect(await job.status()).toMatchObject({ state: "queued" })
    // Whoever follows to the end sees it, also where nothing was printed.
    const following = all(job.logs({ follow: true }))
    await job.cancel()
    expect(await following).toEqual([])
  })

  test("keeps what was printed before a cancel", async () => {
    const nap = await fn(
      async () => {
        console.log("asleep")
        await Bun.sleep(60_000)
      },
      { name: "nap" },
    ).to(stack.here)
    const job = await nap.start()
    const following = all(job.logs({ follow: true }))
    await until(async () => (await all(job.logs())).length === 1, "the line")
    expect(await job.cancel()).toMatchObject({ state: "cancelled" })
    for (const lines of [await following, await all(job.logs())]) {
      expect(textsOf(lines)).toEqual(["stdout asleep"])
    }
  })

  test("gives the lines of each attempt, and of a function that throws", async () => {
    using marks = startMarks()
    const mark = marks.next()
    const retry = await fn(
      async (path: string) => {
        const { existsSync, writeFileSync } = await import("node:fs")
        const isFirst = !existsSync(path)
        writeFileSync(path, "")
        console.log(isFirst ? "first" : "second")
        if (isFirst) throw new Error("not yet")
      },
      { name: "retry" },
    ).to(stack.here)
    const job = await retry.with({ job: { durable: true } }).start(mark)
    const lines = await all(job.logs({ follow: true }))
    expect(lines.map(({ text }) => text)).toEqual(["first", "second"])
    expect(new Set(lines.map(({ callId }) => callId)).size).toBe(2)
    expect(lines[1]?.callId).toBe((await job.status()).callId)
  })

  test("of a flood is the end of it, and says how many lines are missing", async () => {
    const flood = await fn(
      async (count: number) => {
        for (let i = 0; i < count; i++) {
          console.log(`${i} ${"x".repeat(100)}`)
          if (i % 1_000 === 0) await Bun.sleep(30)
        }
        console.log("over")
        return "done"
      },
      { name: "flood" },
    ).to(stack.here.env("flood", { loopBlockMs: 0 }))
    const job = await flood.start(20_000)
    expect(await job.result()).toBe("done")
    const lines = await all(job.logs())
    expect(lines[0]?.text).toMatch(/^… [\d,]+ lines dropped$/)
    expect(lines.at(-1)?.text).toBe("over")
    const numbers = lines.flatMap(({ text }) =>
      /^\d/.test(text) ? [Number.parseInt(text, 10)] : [],
    )
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
    const dropped = lines.flatMap(({ text }) => {
      const [, count] = /^… ([\d,]+) lines dropped$/.exec(text) ?? []
      return count === undefined ? [] : [Number(count.replaceAll(",", ""))]
    })
    expect(dropped.reduce((sum, count) => sum + count, 0)).toBe(20_000 - numbers.length)
    const { length } = lines.map(({ text }) => text).join("")
    expect(length).toBeLessThan(JOB_LOG_BYTES_MAX)
    expect(length).toBeGreaterThan(JOB_LOG_BYTES_MAX / 4)
  })

  test("of a job that is forgotten, or never was, is NOT_FOUND", async () => {
    const job = await (await sendTalk()).with({ job: { ttlMs: 1 } }).start("Cyd")
    const isForgotten = () =>
      job.status().then(
        () => false,
        () => true,
      )
    await until(isForgotten, "the end of its time")
    for (const id of [job.id, "nobody"]) {
      expect((await caught(all(stack.here.job(id).logs()))).code).toBe("NOT_FOUND")
    }
  })
})

describe("lines of jobs over HTTP", () => {
  test("have numbers, and are asked for from a number on", async () => {
    const job = await (await sendTalk()).start("Dan")
    await job.result()
    const path = `/v1/jobs/${job.id}/logs`
    const whole = await ask(stack, "GET", path)
    const { callId } = await job.status()
    expect(whole.json).toEqual({
      job: await job.status(),
      lines: TALK("Dan").map((line, index) => {
        const [stream = "", ...text] = line.split(" ")
        return { line: index, callId, stream, time: expect.any(String), text: text.join(" ") }
      }),
      next: 3,
    })
    const rest = await ask(stack, "GET", `${path}?from=2`)
    expect(rest.json).toMatchObject({ lines: [{ line: 2, text: "no end" }], next: 3 })
    // It has ended: nothing is waited for.
    const none = await ask(stack, "GET", `${path}?from=3&waitMs=25000`)
    expect(none.json).toMatchObject({ lines: [], next: 3 })
  })
})

describe("after a restart of the daemon", () => {
  test("lines are there, of jobs that have ended and of those that were lost", async () => {
    await using own = await startStack()
    const job = await (await sendTalk(own)).start("Eve")
    await job.result()
    const hang = await fn(
      async () => {
        console.log("last words")
        await Bun.sleep(60_000)
      },
      { name: "hang" },
    ).to(own.here)
    const lost: Job = await hang.start()
    await until(async () => (await all(lost.logs())).length === 1, "the line")
    const following = all(lost.logs({ follow: true }))
    await own.kill()
    await own.startAgain()
    expect(textsOf(await all(own.connect().job(job.id).logs()))).toEqual(TALK("Eve"))
    expect(textsOf(await all(lost.logs()))).toEqual(["stdout last words"])
    expect(await lost.status()).toMatchObject({ state: "failed" })
    // Who followed meanwhile sees each line once, and the end.
    expect(textsOf(await following)).toEqual(["stdout last words"])
  }, 30_000)

  test("what is printed up to an orderly stop is kept, and a durable job goes on behind it", async () => {
    await using own = await startStack()
    using marks = startMarks()
    const mark = marks.next()
    const work = await fn(
      async (path: string) => {
        const { existsSync, writeFileSync } = await import("node:fs")
        const isFirst = !existsSync(path)
        console.log(isFirst ? "before" : "after")
        writeFileSync(path, "")
        if (isFirst) await Bun.sleep(60_000)
      },
      { name: "work" },
    ).to(own.here)
    const job = await work.with({ job: { durable: true } }).start(mark)
    await until(async () => (await all(job.logs())).length === 1, "the line")
    const { pid } = own
    const stopped = own.stop()
    // It would wait for the job: a second signal ends that.
    await until(async () => (await own.log()).includes(`"stopping"`), "the begin of the stop")
    sendSignal(pid, "SIGTERM")
    await stopped
    await own.startAgain()
    const lines = await all(job.logs({ follow: true }))
    expect(lines.map(({ text }) => text)).toEqual(["before", "after"])
    expect(new Set(lines.map(({ callId }) => callId)).size).toBe(2)
  }, 30_000)
})
