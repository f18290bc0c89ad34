import type { BunhouseError } from "../../protocol/errors.ts"
import { FrameType } from "../../protocol/frame.ts"
import type { Place } from "../../protocol/function-spec.ts"
import { Outbox } from "../../protocol/outbox.ts"
import type { Dispatcher } from "../../server/calls/dispatcher.ts"
import { Lane } from "../../server/calls/lane.ts"
import type { Report } from "../../server/calls/report.ts"
import { type EnvLink, type EnvRoute, FunctionRoute } from "../../server/calls/route.ts"
import { FakeServed } from "./fake-life.ts"
import { batchOf, framesIn, type SeenFrame, standingOn } from "./frames.ts"

/** An env process that does what a test says: it replies, delays, drops, replies twice, lies. */
export class FakeLink implements EnvLink {
  readonly incarnation = crypto.randomUUID()
  readonly outbox: Outbox
  readonly served = new FakeServed()
  isReachable = true
  awaited = 0
  /** How often it was told that a call is not wanted any more. */
  abandonedCalls = 0
  /** What it has reported, in order. */
  readonly reports: Report[] = []
  /** Everything that was sent to it, in order. */
  readonly #received: SeenFrame[] = []

  constructor() {
    this.outbox = new Outbox({
      send: (batch) => void this.#received.push(...framesIn(batch)),
      messageBytesMax: 1 << 20,
      flushAfter: "turn",
    })
  }

  abandoned(): void {
    this.abandonedCalls++
  }

  reported(report: Report): void {
    this.reports.push(report)
  }

  get calls(): SeenFrame[] {
    return this.received(FrameType.call)
  }

  get cancels(): number[] {
    return this.received(FrameType.cancel).map(({ id }) => id)
  }

  /** The frames of one type. */
  received(type: FrameType): SeenFrame[] {
    this.outbox.flush()
    return this.#received.filter((frame) => frame.type === type)
  }
}

/** An env whose state a test sets by hand. */
export class FakeEnv implements EnvRoute {
  readonly name = "lab"
  readonly backlog = { calls: 0, bytes: 0 }
  readonly lanes: EnvRoute["lanes"]
  readonly functions = new Map<string, FunctionRoute>()
  readonly instances: EnvRoute["instances"] = new Map()
  readonly flight = { bytes: 0 }
  spec = { queue: 1_000, timeoutMs: 300_000, payloadMiB: 64 }
  link: FakeLink | undefined = new FakeLink()
  refusal: BunhouseError | undefined
  /** Functions that were asked to be loaded, in order. */
  readonly asked: FunctionRoute[] = []
  /** Links that nobody waits for any more, in order. */
  readonly finishedLinks: EnvLink[] = []

  constructor({ concurrency = 1, threads = 1 } = {}) {
    const leave = (free: number) => this.link?.served.leavesThread(free) ?? true
    this.lanes = {
      loop: new Lane(concurrency, this.backlog, this.flight),
      thread: new Lane(threads, this.backlog, this.flight, { leave }),
    }
  }

  load(route: FunctionRoute): void {
    this.asked.push(route)
  }

  finished(link: EnvLink): void {
    this.finishedLinks.push(link)
  }

  /** A function of this env; with an index it is loaded. */
  add(name: string, { run = "loop", index }: { run?: Place; index?: number } = {}): FunctionRoute {
    const kind = run === "loop" ? "async" : "sync"
    const info = { env: this.name, name, kind, run, version: "1" } as const
    const route = new FunctionRoute(this, info)
    route.index = index
    this.functions.set(name, route)
    return route
  }

  /** What the real env does before the dispatcher hears that the process is gone. */
  lose(dispatcher: Dispatcher, next?: FakeLink): void {
    const { link } = this
    this.link = undefined
    for (const route of this.functions.values()) route.index = undefined
    if (link !== undefined) {
      dispatcher.linkLost(link, "WORKER_LOST", "the env process was lost during the call (SIGKILL)")
    }
    dispatcher.unloaded(this, "the env process was lost during the call (SIGKILL)")
    this.link = next
  }

  /** The process answers a call. */
  reply(dispatcher: Dispatcher, id: number, text = "ok", link = this.link): void {
    if (link === undefined) throw new Error("expected a link to reply on")
    dispatcher.replies(link, standingOn(batchOf(FrameType.reply, { id, payload: text })))
  }
}
