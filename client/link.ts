import { BunhouseError } from "../protocol/errors.ts"
import type { Environment } from "../protocol/home.ts"
import type { BlockingCaller } from "./blocking/blocking-caller.ts"
import { ConnectionCaller } from "./blocking/connection-caller.ts"
import { ResidentCaller } from "./blocking/resident.ts"
import { SpawnCaller } from "./blocking/spawn.ts"
import { Connection } from "./connection/connection.ts"
import { byWebSocket } from "./connection/dialer.ts"
import type { OwnWay } from "./connection/transport.ts"
import { Control } from "./control.ts"
import type { OnLog } from "./logs.ts"
import { RetryBudget } from "./retry.ts"
import { JobRequests } from "./job-requests.ts"
import { type Address, type ConnectOptions, resolveAddress } from "./settings.ts"

/** Of a daemon, for those who are no users of it. */
export function linkOf(daemon: object): Link {
  const link = links.get(daemon)
  if (link !== undefined) return link
  throw new BunhouseError("INTERNAL", "expected a daemon")
}

export function rememberLink(daemon: object, link: Link): void {
  links.set(daemon, link)
}

const links = new WeakMap<object, Link>()

/** All ways to one daemon. Nothing is opened before it is needed. */
export class Link {
  readonly control: Control
  readonly connection: Connection
  readonly blocking: BlockingCaller
  readonly retryBudget = new RetryBudget()
  readonly onLog: OnLog | undefined
  readonly jobs: JobRequests
  readonly environment: Environment
  readonly #options: ConnectOptions

  /** `way` is taken by calls in place of a WebSocket. */
  constructor(options: ConnectOptions, environment: Environment, way?: OwnWay) {
    this.#options = options
    this.environment = environment
    this.onLog = options.onLog
    const address = () => this.address()
    this.control = new Control(address)
    this.jobs = new JobRequests(this.control)
    this.connection = new Connection(way?.open ?? byWebSocket(address))
    this.blocking = this.#blockingCaller(address, way)
  }

  address(): Address {
    return resolveAddress(this.#options, this.environment)
  }

  close(): void {
    this.connection.close()
    this.blocking.close()
    this.jobs.close()
  }

  #blockingCaller(address: () => Address, way: OwnWay | undefined): BlockingCaller {
    if (way?.wait !== undefined) return new ConnectionCaller(this.connection, way.wait)
    if (this.#options.blocking === "resident") return new ResidentCaller(address)
    return new SpawnCaller(() => ({ ...address(), environment: this.environment }))
  }
}
