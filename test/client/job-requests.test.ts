import { describe, expect, test } from "bun:test"
import { Control } from "../../client/control.ts"
import { JobRequests } from "../../client/job-requests.ts"
import { now } from "../../protocol/deadlines.ts"
import { Fields } from "../../protocol/fields.ts"
import { JOB_REQUESTS_MAX, JOBS_WAITED_MAX } from "../../protocol/limits.ts"
import { caught } from "../support/caught.ts"
import { until } from "../support/until.ts"

const FOREVER = Number.POSITIVE_INFINITY

/** A daemon that knows which jobs have ended, and answers nothing else. */
class EndingDaemon implements Disposable {
  readonly ended = new Set<string>()
  /** Ids of each poll, in the order in which they came. */
  readonly polls: string[][] = []
  /** Polls that are waiting. */
  open = 0
  /** Other requests that are open now, and at most. */
  others = 0
  othersMost = 0
  status = 200
  #changed = Promise.withResolvers<void>()
  readonly #server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => (request.method === "POST" ? this.#poll(request) : this.#other()),
  })
  readonly requests = new JobRequests(
    new Control(() => ({ url: `http://127.0.0.1:${this.#server.port}`, token: "token" })),
  )

  end(...ids: string[]): void {
    for (const id of ids) this.ended.add(id)
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  async #poll(request: Request): Promise<Response> {
    const asked = new Fields("what is waited for", await request.json())
    const ids = asked.list("ids").map(String)
    this.polls.push(ids)
    if (this.status !== 200) {
      return Response.json({ error: { code: "NOT_FOUND", message: "no" } }, { status: this.status })
    }
    this.open++
    const gone = new Promise((resolve) => request.signal.addEventListener("abort", resolve))
    const found = () => ids.filter((id) => this.ended.has(id))
    while (found().length === 0 && !request.signal.aborted) {
      await Promise.race([this.#changed.promise, gone])
    }
    this.open--
    return Response.json({ ended: found() })
  }

  async #other(): Promise<Response> {
    this.others++
    this.othersMost = Math.max(this.othersMost, this.others)
    await Bun.sleep(5)
    this.others--
    return Response.json({})
  }

  [Symbol.dispose](): void {
    void this.#server.stop(true)
  }
}

describe("waiting for the ends of jobs", () => {
  test("together takes one request, whoever waits, and each hears of its own end", async () => {
    using daemon = new EndingDaemon()
    const ids = Array.from({ length: 500 }, (_, index) => `j${index}`)
    const heard: string[] = []
    const waits = ids.map(async (id) => {
      if (await daemon.requests.ended(id, FOREVER)) heard.push(id)
    })
    await until(() => daemon.open === 1, "the poll")
    expect(daemon.polls).toEqual([ids])
    daemon.end("j7", "j9")
    await until(() => heard.length === 2, "two ends")
    expect(heard.toSorted()).toEqual(["j7", "j9"])
    await until(() => daemon.polls.length === 2, "the next poll")
    expect(daemon.polls[1]).toHaveLength(498)
    daemon.end(...ids)
    await Promise.all(waits)
    expect(new Set(heard)).toEqual(new Set(ids))
  })

  test("that begins one after the other is gathered into few requests", async () => {
    using daemon = new EndingDaemon()
    const ids = Array.from({ length: 300 }, (_, index) => `j${index}`)
    const waits: Promise<boolean>[] = []
    for (const id of ids) {
      waits.push(daemon.requests.ended(id, FOREVER))
      await Bun.sleep(0)
    }
    await until(() => daemon.polls.at(-1)?.length === 300, "one poll for all")
    await until(() => daemon.open === 1, "the others to have ended")
    daemon.end(...ids)
    expect(await Promise.all(waits)).toEqual(ids.map(() => true))
  })

  test("of more than one request may name takes several", async () => {
    using daemon = new EndingDaemon()
    const ids = Array.from({ length: JOBS_WAITED_MAX + 1 }, (_, index) => `j${index}`)
    const waits = ids.map((id) => daemon.requests.ended(id, FOREVER))
    await until(() => daemon.open === 2, "two polls")
    expect(daemon.polls.map((poll) => poll.length)).toEqual([JOBS_WAITED_MAX, 1])
    daemon.end(...ids)
    expect((await Promise.all(waits)).every(Boolean)).toBe(true)
  })

  test("ends in time, by a signal, or by closing; then nothing is asked for any more", async () => {
    using daemon = new EndingDaemon()
    const { requests } = daemon
    expect(await requests.ended("late", now() + 20)).toBe(false)
    const signal = AbortSignal.timeout(20)
    const reason: unknown = await requests
      .ended("a", FOREVER, signal)
      .catch((error: unknown) => error)
    expect(reason).toHaveProperty("name", "TimeoutError")
    const closed = caught(requests.ended("b", FOREVER))
    await until(() => daemon.open > 0, "a poll")
    requests.close()
    expect((await closed).code).toBe("CANCELLED")
    await until(() => daemon.open === 0, "the end of all polls")
    // What comes afterwards is asked for anew.
    daemon.end("c")
    expect(await requests.ended("c", FOREVER)).toBe(true)
  })

  test("twice for one job, of which one gives up, goes on for the other", async () => {
    using daemon = new EndingDaemon()
    const patient = daemon.requests.ended("a", FOREVER)
    expect(await daemon.requests.ended("a", now() + 20)).toBe(false)
    daemon.end("a")
    expect(await patient).toBe(true)
  })

  test("fails for all who wait when it is refused, and not for those who come later", async () => {
    using daemon = new EndingDaemon()
    daemon.status = 404
    const errors = await Promise.all(
      ["a", "b"].map((id) => caught(daemon.requests.ended(id, FOREVER))),
    )
    expect(errors.map(({ code }) => code)).toEqual(["NOT_FOUND", "NOT_FOUND"])
    daemon.status = 200
    daemon.end("a")
    expect(await daemon.requests.ended("a", FOREVER)).toBe(true)
  })
})

describe("other requests about jobs", () => {
  test("take their turns", async () => {
    using daemon = new EndingDaemon()
    const count = 3 * JOB_REQUESTS_MAX
    const sent = Array.from({ length: count }, () =>
      daemon.requests.send("GET", "/x", { timeoutMs: 5_000 }),
    )
    const statuses = (await Promise.all(sent)).map(({ status }) => status)
    expect(statuses).toEqual(statuses.map(() => 200))
    expect(daemon.othersMost).toBeLessThanOrEqual(JOB_REQUESTS_MAX)
    expect(daemon.othersMost).toBeGreaterThan(1)
  })
})
