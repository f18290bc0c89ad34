import { describe, expect, test } from "bun:test"
import { BunhouseError } from "../../../protocol/errors.ts"
import { FrameFlag, FrameType } from "../../../protocol/frame.ts"
import type { Call } from "../../../server/calls/call.ts"
import { Dispatcher } from "../../../server/calls/dispatcher.ts"
import type { FunctionRoute } from "../../../server/calls/route.ts"
import { FakeCaller } from "../../support/fake-caller.ts"
import { FakeClock } from "../../support/fake-clock.ts"
import { FakeEnv, FakeLink } from "../../support/fake-env.ts"
import { batchOf, standingOn } from "../../support/frames.ts"
import { randomFrom } from "../../support/random.ts"

/**
 * Random histories of two envs whose processes reply, delay, drop, reply twice, lie about ids, die, lose their way to
 * the broker, are replaced while they have calls, and of callers that give up. Checked after every step, whatever happened: no call ends twice, places
 * and queues add up, and what ended with ran "no" never reached a process (C1, C2, C3, P1). And in the end, when all
 * processes are gone, nothing is left open (P2).
 */
class History {
  readonly clock = new FakeClock()
  readonly dispatcher = new Dispatcher("boot", this.clock)
  readonly caller = new FakeCaller()
  readonly envs = [new FakeEnv({ concurrency: 3, threads: 1 }), new FakeEnv({ concurrency: 1 })]
  readonly links: FakeLink[] = []
  readonly replaced: Replaced[] = []
  readonly calls: Call[] = []
  readonly cancelled = new Set<number>()
  readonly #random: () => number
  #nextIndex = 0
  #isBrokerAway = false

  constructor(seed: number) {
    this.#random = randomFrom(seed)
    for (const env of this.envs) {
      env.spec.queue = 12
      env.add("loop")
      env.add("thread", { run: "thread" })
      if (env.link !== undefined) this.links.push(env.link)
    }
  }

  step(): void {
    const env = this.envs[this.#pick(this.envs.length)] ?? new FakeEnv()
    const route = [...env.functions.values()][this.#pick(2)]
    if (route === undefined) throw new Error("expected two functions")
    const actions: [weight: number, act: () => void][] = [
      [30, () => this.#submit(route)],
      [30, () => this.#reply(env)],
      [15, () => this.#ready(env.link)],
      [3, () => this.#ready(this.#anyReplaced(env)?.link)],
      [4, () => this.#lie(env)],
      [8, () => this.#cancel()],
      [12, () => this.#load(env)],
      [2, () => this.dispatcher.loadFailed(route, new BunhouseError("DEPLOY_FAILED", "bad"))],
      [8, () => this.clock.advance(this.#pick(60))],
      [3, () => env.lose(this.dispatcher, this.#newLink())],
      [2, () => this.#cutOff(env)],
      [3, () => this.#replace(env)],
      [8, () => this.#replyOfReplaced(env)],
      [2, () => this.#loseReplaced(env)],
      [3, () => this.#broker()],
      [2, () => this.#changeLimit(env)],
      [1, () => this.dispatcher.removed(route, new BunhouseError("NOT_FOUND", "deleted"))],
      [1, () => this.dispatcher.envRefused(env, new BunhouseError("ENV_FAILED", "failed"))],
      [1, () => this.#unsent(env)],
    ]
    let left = this.#random() * actions.reduce((sum, [weight]) => sum + weight, 0)
    actions.find(([weight]) => (left -= weight) < 0)?.[1]()
  }

  finish(): void {
    for (const { link } of this.replaced) {
      this.dispatcher.linkLost(link, "WORKER_LOST", "the end")
      expect(link.awaited).toBe(0)
    }
    for (const env of this.envs) {
      env.lose(this.dispatcher)
      this.dispatcher.envRefused(env, new BunhouseError("ENV_FAILED", "the end"))
    }
  }

  check(): void {
    const open = this.calls.filter(({ state }) => state !== "closed")
    expect(this.dispatcher.callsInFlight).toBe(open.length)
    for (const env of this.envs) {
      const own = open.filter(({ route }) => route.env === env)
      const waiting = own.filter(({ state }) => state === "waiting" || state === "preparing")
      const bytes = waiting.reduce((sum, call) => sum + (call.frame?.length ?? call.bytes), 0)
      expect(env.backlog).toEqual({ calls: waiting.length, bytes })
      for (const lane of [env.lanes.loop, env.lanes.thread]) {
        const placed = open.filter((call) => call.lane === lane)
        expect(lane.running).toBe(placed.length)
      }
    }
    for (const link of this.links) {
      const awaited = open.filter((call) => call.link === link && call.caller !== undefined)
      expect(link.awaited).toBe(awaited.length)
    }
    const reached = new Set(this.links.flatMap(({ calls }) => calls.map(({ serial }) => serial)))
    for (const call of this.calls) {
      const end = this.caller.endOf(call.callerId)
      if (end === undefined)
        expect(call.state === "closed" || call.state === "abandoned").toBe(
          this.cancelled.has(call.callerId),
        )
      else if (end.kind === "failed") {
        const isMistake =
          end.error.ran === "no" && reached.has(call.serial) && end.error.code !== "INTERNAL"
        expect(isMistake).toBe(false)
      } else expect(end.text).toBe(`reply to ${call.serial}`)
    }
  }

  #submit(route: FunctionRoute): void {
    const id = this.calls.length + this.caller.heard.size + 1
    const frame = standingOn(
      batchOf(FrameType.call, {
        id,
        timeoutMs: this.#pick(3) === 0 ? 0 : 20 + this.#pick(100),
        payload: "x".repeat(this.#pick(50)),
        flags: this.#pick(4) === 0 ? FrameFlag.later : 0,
      }),
    )
    const call = this.dispatcher.submit(this.caller, frame, route)
    if (call !== undefined) this.calls.push(call)
    else expect(this.caller.errorOf(id)).toMatchObject({ ran: "no" })
  }

  /** Answers one of all calls that the process ever got: now and then one that was answered before. */
  #reply(env: FakeEnv): void {
    const { link } = env
    const sent = link?.calls ?? []
    const frame =
      sent[this.#pick(3) === 0 ? this.#pick(sent.length) : sent.length - 1 - this.#pick(4)]
    if (frame !== undefined) env.reply(this.dispatcher, frame.id, `reply to ${frame.serial}`)
  }

  /** Says of any call that it has its arguments. */
  #ready(link: FakeLink | undefined): void {
    const sent = link?.calls ?? []
    const frame = sent[this.#pick(sent.length)]
    if (link === undefined || frame === undefined) return
    this.dispatcher.replies(link, standingOn(batchOf(FrameType.ready, { id: frame.id })))
  }

  #lie(env: FakeEnv): void {
    const any = this.calls[this.#pick(this.calls.length)]
    const id = this.#pick(2) === 0 ? (any?.id ?? 0) : this.#pick(2 ** 32)
    const isTrue = env.link?.calls.some((frame) => frame.id === id && frame.serial === any?.serial)
    if (env.link !== undefined && isTrue !== true) env.reply(this.dispatcher, id, "a lie")
  }

  #cancel(): void {
    const open = this.calls.filter(({ caller }) => caller !== undefined)
    const call = open[this.#pick(open.length)]
    if (call === undefined) return
    this.cancelled.add(call.callerId)
    this.dispatcher.cancel(call)
  }

  #load(env: FakeEnv): void {
    const route = env.asked.splice(0, 1)[0]
    if (route === undefined || env.link === undefined) return
    this.dispatcher.loaded(route, this.#nextIndex++)
  }

  #cutOff(env: FakeEnv): void {
    const { link } = env
    env.link = undefined
    if (link !== undefined) this.dispatcher.linkLost(link, "BROKER_LOST", "cut off")
    env.link = link
    this.dispatcher.resume(env)
  }

  /** Another process takes over, with some of the functions loaded; the old one goes on with what it has (C4). */
  #replace(env: FakeEnv): void {
    const old = env.link
    const next = this.#newLink()
    if (old === undefined || next === undefined) return
    this.replaced.push({ env, link: old })
    env.link = next
    for (const route of env.functions.values()) {
      route.index = undefined
      if (this.#pick(2) === 0) this.dispatcher.loaded(route, this.#nextIndex++)
    }
    this.dispatcher.resume(env)
  }

  #replyOfReplaced(env: FakeEnv): void {
    const { link } = this.#anyReplaced(env) ?? {}
    const sent = link?.calls ?? []
    const frame = sent[this.#pick(sent.length)]
    if (frame !== undefined) env.reply(this.dispatcher, frame.id, `reply to ${frame.serial}`, link)
  }

  #loseReplaced(env: FakeEnv): void {
    const lost = this.#anyReplaced(env)
    if (lost === undefined) return
    this.replaced.splice(this.replaced.indexOf(lost), 1)
    this.dispatcher.linkLost(lost.link, "WORKER_LOST", "ended")
  }

  #anyReplaced(env: FakeEnv): Replaced | undefined {
    const own = this.replaced.filter((each) => each.env === env)
    return own[this.#pick(own.length)]
  }

  #broker(): void {
    if (!this.#isBrokerAway) {
      for (const env of this.envs) env.link = undefined
      this.dispatcher.brokerLost()
      if (this.#pick(2) === 0) {
        this.dispatcher.brokerStaysAway(new BunhouseError("BROKER_LOST", "away for long"))
      }
    } else {
      this.dispatcher.brokerBack()
      for (const env of this.envs) {
        env.link ??= this.#newLink()
        this.dispatcher.resume(env)
      }
    }
    this.#isBrokerAway = !this.#isBrokerAway
  }

  #changeLimit(env: FakeEnv): void {
    env.lanes.loop.limit = 1 + this.#pick(4)
    this.dispatcher.resume(env)
  }

  #unsent(env: FakeEnv): void {
    const frame = env.link?.calls.at(-1)
    if (frame === undefined) return
    const batch = batchOf(FrameType.call, { id: frame.id })
    this.dispatcher.unsent(batch, new BunhouseError("INTERNAL", "not taken"))
  }

  #newLink(): FakeLink | undefined {
    if (this.#isBrokerAway) return undefined
    const link = new FakeLink()
    this.links.push(link)
    return link
  }

  #pick(end: number): number {
    return Math.floor(this.#random() * end)
  }
}

interface Replaced {
  readonly env: FakeEnv
  readonly link: FakeLink
}

const SEEDS = 60
const STEPS = 250

describe("Dispatcher", () => {
  test.each(Array.from({ length: SEEDS }, (_, seed) => [seed]))(
    "keeps its invariants in the random history %p",
    (seed) => {
      const history = new History(seed)
      for (let step = 0; step < STEPS; step++) {
        history.step()
        if (step % 5 === 0) history.check()
      }
      history.finish()
      history.check()
      expect(history.dispatcher.callsInFlight).toBe(0)
      const unheard = history.calls.filter(
        ({ callerId }) => history.caller.endOf(callerId) === undefined,
      )
      expect(unheard.every(({ callerId }) => history.cancelled.has(callerId))).toBe(true)
      for (const env of history.envs) {
        expect(env.backlog).toEqual({ calls: 0, bytes: 0 })
        expect([env.lanes.loop.running, env.lanes.thread.running]).toEqual([0, 0])
      }
    },
  )
})
