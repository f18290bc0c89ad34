import { lstatSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { now } from "../protocol/deadlines.ts"
import { BunhouseError } from "../protocol/errors.ts"
import { BROKER_HEALTHY_MS, BROKER_START_TIMEOUT_MS } from "../protocol/limits.ts"
import type { NatsServerBinary } from "./binary.ts"
import { type BrokerPaths, brokerPaths, type BrokerRole, configText } from "./config.ts"
import { type Login, shakeHands } from "./handshake.ts"
import { awaitLeftovers } from "./leftover.ts"
import { type BrokerLife, startLife } from "./life.ts"
import { reasonOf } from "./reason.ts"
import { restartWaitMs } from "./restart-wait.ts"

/**
 * The daemon's own broker: a nats-server on loopback with passwords that only this daemon knows. It owns the
 * configuration, the passwords and the decision to start the server again; a single process is life.ts's.
 *
 * Invariants:
 * E1. A server counts as ready only after it let the daemon in and kept out who had no password; one that lets
 *     anybody in is killed. This is proved at each start, because server versions with such faults exist.
 * E2. All lives have the same port and passwords, so that every connection comes back by itself.
 * E3. A first start that fails leaves no process and no file with a secret; logs and JetStream's data stay.
 * E4. After `stop` nothing is left running, and nothing starts again.
 */
export interface EmbeddedBrokerOptions {
  readonly binary: NatsServerBinary
  /** Made if absent, 0700. One broker at a time may use it. */
  readonly folder: string
  /** The daemon's token in subjects. */
  readonly space: string
  readonly log: (event: string, facts: Readonly<Record<string, unknown>>) => void
  /** How long to wait after so many crashes in a row; undefined gives up. Default: `restartWaitMs`. */
  readonly restartWaitMs?: (crashes: number) => number | undefined
}

interface BrokerExit {
  readonly reason: string
  /** Milliseconds until the next start; undefined when the broker has failed for good. */
  readonly restartInMs: number | undefined
}

export interface EmbeddedBroker {
  /** Without credentials. */
  readonly url: string
  readonly port: number
  /** Of nats-server itself; undefined while it is down. */
  readonly pid: number | undefined
  readonly version: string
  credentials(role: BrokerRole): Login
  /** Called whenever the server ended or failed to start again, unasked. Returns what ends the listening. */
  onExit(listener: (exit: BrokerExit) => void): () => void
  /** Stopping twice is fine. Settles when the process is gone. */
  stop(): Promise<void>
}

/** Settles when the broker is ready. Throws UNAVAILABLE within BROKER_START_TIMEOUT_MS and a moment (E3). */
export async function startEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
  const paths = brokerPaths(options.folder)
  try {
    checkFolder(options.folder)
    await awaitLeftovers(paths)
    const broker = new Broker(options, paths)
    await broker.start()
    return broker
  } catch (error) {
    // Otherwise the system's: a full disk, a path that leads through a file.
    throw error instanceof BunhouseError ? error : unavailable(reasonOf(error))
  }
}

class Broker implements EmbeddedBroker {
  readonly version: string
  port = CHOSEN_BY_SERVER
  readonly #options: EmbeddedBrokerOptions
  readonly #paths: BrokerPaths
  readonly #passwords = { daemon: newPassword(), env: newPassword() }
  readonly #listeners = new Set<(exit: BrokerExit) => void>()
  readonly #stopping = new AbortController()
  #life: BrokerLife | undefined
  /** In a row, none of them after a healthy time. */
  #crashes = 0
  #serving: Promise<void> = Promise.resolve()

  constructor(options: EmbeddedBrokerOptions, paths: BrokerPaths) {
    this.version = options.binary.version
    this.#options = options
    this.#paths = paths
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`
  }

  get pid(): number | undefined {
    return this.#life?.pid
  }

  credentials(role: BrokerRole): Login {
    return { user: role, password: this.#passwords[role] }
  }

  onExit(listener: (exit: BrokerExit) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  async start(): Promise<void> {
    try {
      const life = await this.#begin()
      this.port = life.port
      this.#serving = this.#serve(life)
    } catch (error) {
      this.#removeSecrets()
      throw error
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#life?.stop()
    await this.#serving
    this.#removeSecrets()
  }

  /** Keeps the server running until it is told to stop or has failed. Never rejects. */
  async #serve(first: BrokerLife): Promise<void> {
    const { signal } = this.#stopping
    let life: BrokerLife | undefined = first
    while (life !== undefined) {
      this.#life = life
      const readyAt = now()
      if (signal.aborted) await life.stop()
      const reason = await life.exited
      this.#life = undefined
      if (now() - readyAt >= BROKER_HEALTHY_MS) this.#crashes = 0
      life = await this.#revive(reason)
    }
  }

  /** The next life, or undefined when there is none: the broker was told to stop, or has failed. */
  async #revive(why: string): Promise<BrokerLife | undefined> {
    const { signal } = this.#stopping
    const waitMs = this.#options.restartWaitMs ?? restartWaitMs
    let reason = why
    while (!signal.aborted) {
      const restartInMs = waitMs(++this.#crashes)
      this.#report({ reason, restartInMs })
      if (restartInMs === undefined) return undefined
      await sleepUnless(signal, restartInMs)
      if (signal.aborted) return undefined
      try {
        return await this.#begin()
      } catch (error) {
        reason = reasonOf(error)
      }
    }
    return undefined
  }

  /** Starts one life and proves it (E1). */
  async #begin(): Promise<BrokerLife> {
    const startedAt = now()
    const { binary, space, log } = this.#options
    const paths = this.#paths
    const text = configText({
      paths,
      version: binary.version,
      port: this.port,
      space,
      passwords: this.#passwords,
    })
    rmSync(paths.config, { force: true })
    writeFileSync(paths.config, text, { mode: 0o600, flag: "wx" })
    const life = await startLife({
      program: binary.path,
      paths,
      timeoutMs: BROKER_START_TIMEOUT_MS,
      signal: this.#stopping.signal,
    })
    try {
      await this.#prove(life.port, BROKER_START_TIMEOUT_MS - (now() - startedAt))
    } catch (error) {
      await life.stop()
      throw error
    }
    const tookMs = Math.round(now() - startedAt)
    log("broker ready", { pid: life.pid, port: life.port, version: binary.version, tookMs })
    return life
  }

  async #prove(port: number, timeoutMs: number): Promise<void> {
    const [known, anonymous] = await Promise.all([
      shakeHands(port, this.credentials("daemon"), timeoutMs),
      shakeHands(port, undefined, timeoutMs),
    ])
    if (known.kind !== "accepted") {
      throw unavailable(`it did not let the daemon in: ${known.reason}`)
    }
    if (anonymous.kind === "accepted") {
      const { path, version } = this.#options.binary
      throw unavailable(`${path} (version ${version}) lets in who has no password: use another one`)
    }
  }

  #report(exit: BrokerExit): void {
    const { log } = this.#options
    log(exit.restartInMs === undefined ? "broker failed" : "broker exited", { ...exit })
    for (const listener of this.#listeners) {
      try {
        listener(exit)
      } catch (error) {
        log("a listener for the broker's exit failed", { reason: reasonOf(error) })
      }
    }
  }

  #removeSecrets(): void {
    rmSync(this.#paths.config, { force: true })
    rmSync(this.#paths.ports, { recursive: true, force: true })
  }
}

const CHOSEN_BY_SERVER = -1

function newPassword(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")
}

/** Refuses what somebody else may have put there, instead of mending it. */
function checkFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const reason = whyNotOurs(folder)
  if (reason === undefined) return
  throw new BunhouseError("PERMISSION_DENIED", `${folder} cannot be used: ${reason}`)
}

function whyNotOurs(folder: string): string | undefined {
  const stat = lstatSync(folder)
  if (!stat.isDirectory()) return "it is not a folder"
  if (stat.uid !== process.getuid?.()) return "it belongs to another user"
  return stat.mode & 0o077 ? `others may enter it: run \`chmod 700 ${folder}\`` : undefined
}

function unavailable(reason: string): BunhouseError {
  return new BunhouseError("UNAVAILABLE", `nats-server did not start: ${reason}`)
}

/** Ends early when the signal comes. */
async function sleepUnless(signal: AbortSignal, ms: number): Promise<void> {
  if (signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  const wake = () => resolve()
  signal.addEventListener("abort", wake)
  await promise
  signal.removeEventListener("abort", wake)
  clearTimeout(timer)
}
