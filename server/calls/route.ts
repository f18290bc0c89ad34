import type { BunhouseError } from "../../protocol/errors.ts"
import type { EnvSpec } from "../../protocol/env-spec.ts"
import type { FunctionInfo, Place } from "../../protocol/function-spec.ts"
import { type Backlog, CallQueue } from "./call-queue.ts"
import type { InstanceRoute } from "./instance-route.ts"
import type { Flight, Lane } from "./lane.ts"
import type { Outbox } from "../../protocol/outbox.ts"
import type { Report } from "./report.ts"

/** What the dispatcher must know of an env; server/envs/env.ts provides it. */
export interface EnvRoute {
  readonly name: string
  readonly functions: ReadonlyMap<string, FunctionRoute>
  readonly lanes: Readonly<Record<Place, Lane>>
  /** Living instances of classes, by `<class>/<id>`. */
  readonly instances: Map<string, InstanceRoute>
  /** What waits in the lanes and for functions to be loaded. */
  readonly backlog: Backlog
  readonly spec: Pick<EnvSpec, "queue" | "timeoutMs" | "payloadMiB">
  /** What was sent and is not answered. */
  readonly flight: Flight
  /** The process that serves the env, while there is one that calls can be sent to. */
  readonly link: EnvLink | undefined
  /** Why calls are refused outright: the env is failed, or goes away. */
  readonly refusal: BunhouseError | undefined
  /**
   * Asks for the function to be loaded, starting the env if need be. Ends in `loaded`, `loadFailed` or `envRefused`.
   * Never sooner than in a later turn.
   */
  load(route: FunctionRoute): void
  /** Nobody waits any more for a call that was sent to `link`. */
  finished(link: EnvLink): void
}

/** One life of an env process, as the dispatcher sees it. */
export interface EnvLink {
  readonly incarnation: string
  readonly outbox: Outbox
  /** False while messages would reach nobody. */
  readonly isReachable: boolean
  /** Calls that were sent to it and that somebody waits for. The dispatcher counts them. */
  awaited: number
  /** A call that was sent to it is not wanted any more, and was cancelled there. */
  abandoned(): void
  readonly served: ServedFrom
  /** It has noticed something about itself. */
  reported(report: Report): void
}

/** What is served from one life of an env process; what its functions call of that among themselves does not come here. */
export interface ServedFrom {
  /** Calls of the function go to that number from here on; without one, not to this process. */
  serves(name: string, index: number | undefined): void
  /** Nothing more is served from it. */
  end(): void
  /** Calls of its functions to each other that stay in the process. */
  readonly ownCalls: number
  /**
   * Whether they leave any of so many threads. Where they do not, the process reports when one of them has left its thread.
   */
  leavesThread(threads: number): boolean
  /** So many of its threads may have calls. */
  limitThreads(max: number): void
}

/** Where calls of one function go. */
export class FunctionRoute {
  readonly env: EnvRoute
  info: FunctionInfo
  #index: number | undefined = undefined
  /** True once the function was deleted: whoever kept the route looks it up again. */
  isRemoved = false
  /** Why every call is refused, now and later: what the route led to is gone. */
  refusal: BunhouseError | undefined = undefined
  /** Calls that came before the function was loaded. */
  readonly waiting: CallQueue

  constructor(env: EnvRoute, info: FunctionInfo) {
    this.env = env
    this.info = info
    this.waiting = new CallQueue(env.backlog)
  }

  /** Number of the loaded version in the env process; undefined while none is loaded there. */
  get index(): number | undefined {
    return this.#index
  }

  /** The process that serves is told: calls that it makes to its own functions need not come here. */
  set index(index: number | undefined) {
    if (index === this.#index) return
    this.#index = index
    this.tellIndex()
  }

  tellIndex(): void {
    this.env.link?.served.serves(this.info.name, this.#index)
  }

  get address(): string {
    return `${this.env.name}/${this.info.name}`
  }

  get lane(): Lane {
    return this.env.lanes[this.info.run]
  }

  /** Somebody begins to use the route, and stops: a connection that knows it, an HTTP call. */
  hold(): void {}
  letGo(): void {}

  /** What the route led to is gone. A function is loaded again; only instances can be lost. */
  lose(_reason: string): void {}
}

/** All lanes in which calls of an env can stand. */
export function* lanesOf({ lanes, instances }: EnvRoute): Generator<Lane> {
  yield lanes.loop
  yield lanes.thread
  for (const { ownLane } of instances.values()) if (ownLane !== undefined) yield ownLane
}
