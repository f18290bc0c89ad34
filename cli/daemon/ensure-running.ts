import { Control } from "../../client/control.ts"
import { resolveAddress } from "../../client/settings.ts"
import { now } from "../../protocol/deadlines.ts"
import { asBunhouseError, BunhouseError } from "../../protocol/errors.ts"
import type { DaemonRecord, Environment } from "../../protocol/home.ts"
import { paths } from "../../protocol/http.ts"
import { DRAIN_MS_MAX, PACKAGE_FETCH_MS_MAX } from "../../protocol/limits.ts"
import { findDaemon } from "./find.ts"
import { launch, type LaunchOptions } from "./launch.ts"

export interface Running {
  readonly url: string
  readonly pid: number
  /** False when this very start made it. */
  readonly wasRunning: boolean
  /** Its process, when this start made it. */
  readonly child: Bun.Subprocess | undefined
}

/**
 * Sees to it that the home has a daemon that takes calls, however many do the same at the same time: the daemon's lock
 * lets one in, all others wait for that one. When it fails or is about to stop, the next one tries.
 *
 * @throws {BunhouseError} why no daemon could be started; UNAVAILABLE when the one that is there does not get ready.
 */
export async function ensureRunning(options: LaunchOptions): Promise<Running> {
  const wait = new Wait(options)
  for (;;) {
    const found = findDaemon(options.home)
    switch (found.kind) {
      case "listed": {
        const { record } = found
        if (await isReady(record, options.environment)) {
          return { url: record.url, pid: record.pid, wasRunning: true, child: undefined }
        }
        await wait.forProcess(record.pid, LISTED_MS_MAX)
        break
      }
      case "unlisted":
        await wait.forProcess(found.process.pid, UNLISTED_MS_MAX)
        break
      case "none": {
        const launched = await launch(options)
        if (launched.kind === "ready") {
          const { url, child } = launched
          return { url, pid: child.pid, wasRunning: false, child }
        }
        await wait.forAnybody()
        break
      }
      default:
        found satisfies never
    }
  }
}

/** Waits for daemons of other starts; every wait is bounded. */
class Wait {
  readonly #options: LaunchOptions
  readonly #startedAt = now()
  #pid = 0
  #seenAt = 0
  #pauseMs = FIRST_PAUSE_MS
  #hasTold = false

  constructor(options: LaunchOptions) {
    this.#options = options
  }

  /** A moment for this process to get ready or to end; `limitMs` counts from when it was first seen in this state. */
  async forProcess(pid: number, limitMs: number): Promise<void> {
    if (this.#pid !== pid) this.#seenAt = now()
    this.#pid = pid
    this.#tell(`waiting for the daemon that is there already (process ${pid})`)
    if (now() - this.#seenAt > limitMs || this.#isOver) {
      throw new BunhouseError(
        "UNAVAILABLE",
        `the daemon in ${this.#options.home.root} (process ${pid}) does not get ready; see \`bunhouse logs\`, and end it with \`bunhouse stop\``,
      )
    }
    await Bun.sleep(LOOK_MS)
  }

  /**
   * A moment for whoever held the lock, and cannot be named. It is random and grows, because each look costs the start
   * of a process.
   */
  async forAnybody(): Promise<void> {
    this.#tell("waiting for another start that is under way")
    if (this.#isOver) {
      throw new BunhouseError(
        "UNAVAILABLE",
        `another process holds ${this.#options.home.lock}, and no daemon gets ready; see \`bunhouse logs\``,
      )
    }
    await Bun.sleep(this.#pauseMs * (0.5 + Math.random()))
    this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MS_MAX)
  }

  /** However many daemons came and went meanwhile. */
  get #isOver(): boolean {
    return now() - this.#startedAt > UNLISTED_MS_MAX
  }

  #tell(line: string): void {
    if (this.#hasTold || now() - this.#startedAt < QUIET_MS) return
    this.#hasTold = true
    this.#options.progress(line)
  }
}

/** Whether the daemon takes calls. Throws what will not change by waiting, such as a wrong token. */
async function isReady(record: DaemonRecord, environment: Environment): Promise<boolean> {
  const control = new Control(() => resolveAddress({ url: record.url }, environment))
  try {
    await control.request("GET", paths.ready, undefined, READY_ANSWER_MS_MAX)
    return true
  } catch (thrown) {
    const error = asBunhouseError(thrown, "asking the daemon whether it is ready")
    if (PASSING.has(error.code)) return false
    throw error
  }
}

/** Draining, without a broker, busy, gone meanwhile. */
const PASSING: ReadonlySet<string> = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED", "NO_DAEMON"])

const READY_ANSWER_MS_MAX = 1_000
/** A daemon that can be asked is ready, or drains, or is ill. */
const LISTED_MS_MAX = DRAIN_MS_MAX + 5_000
/** A daemon that starts may be fetching nats-server. */
const UNLISTED_MS_MAX = 2 * PACKAGE_FETCH_MS_MAX
const LOOK_MS = 10
const FIRST_PAUSE_MS = 50
const PAUSE_MS_MAX = 2_000
/** Shorter waits are not worth a word. */
const QUIET_MS = 1_000
