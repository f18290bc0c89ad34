import { now } from "../../protocol/deadlines.ts"
import type { EnvSpec } from "../../protocol/env-spec.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import type { EnvState } from "../../protocol/status.ts"
import { Lane } from "../calls/lane.ts"
import type { EnvLink, EnvRoute, FunctionRoute } from "../calls/route.ts"
import { CrashHistory } from "./crash-history.ts"
import type { EnvExit, EnvLife } from "./life.ts"

/**
 * One env: its places, its functions, and the life of its processes.
 *
 *     stopped ─▶ starting ─▶ ready ─▶ (exit) ─▶ waiting to restart ─▶ starting
 *                   │                    └────▶ failed   (too many crashes; leaves on restart() or a deploy)
 *                   └─ (exit, too slow) ─▶ as after ready
 *     any ─▶ draining ─▶ stopped    (restart)
 *              └─▶ for good        (close)
 *
 * Invariants:
 * E1. There is at most one process; `link` is it, from its hello until its exit is noticed, while it can be reached.
 * E2. The env is started by need: by a call or a deploy, and again after a crash as long as it is not failed.
 * E3. When a process ends, every function is unloaded before the dispatcher hears of it, so that no call is sent on
 *     the word of the past.
 * E4. What was closed never starts again, whoever still holds it: a deploy, a restart, a timer.
 */
export class Env implements EnvRoute {
  readonly name: string
  readonly lanes: EnvRoute["lanes"]
  readonly backlog = { calls: 0, bytes: 0 }
  readonly functions = new Map<string, FunctionRoute>()
  readonly instances: EnvRoute["instances"] = new Map()
  spec: EnvSpec
  #state: State = { kind: "stopped" }
  readonly #parts: EnvParts
  readonly #crashes = new CrashHistory()
  #nextIndex = 0
  /** Settles at the next change of state. */
  #changed = Promise.withResolvers<void>()
  #restarting: Promise<void> | undefined

  constructor(name: string, spec: EnvSpec, parts: EnvParts) {
    this.name = name
    this.spec = spec
    this.#parts = parts
    this.lanes = {
      loop: new Lane(spec.concurrency, this.backlog),
      thread: new Lane(spec.threads.max, this.backlog),
    }
  }

  get state(): EnvState {
    return this.#state.kind
  }

  get crashes(): number {
    return this.#crashes.count
  }

  get queueMax(): number {
    return this.spec.queue
  }

  get link(): EnvLink | undefined {
    const state = this.#state
    return state.kind === "ready" && state.process.isReachable ? state.process : undefined
  }

  get process(): EnvLife | undefined {
    return "process" in this.#state ? this.#state.process : undefined
  }

  get refusal(): BunhouseError | undefined {
    return "error" in this.#state ? this.#state.error : undefined
  }

  /** Why the env is not ready, where there is something to say. */
  get reason(): string | undefined {
    return "reason" in this.#state ? this.#state.reason : undefined
  }

  /** The limits count from now on; calls that occupy places keep them. More threads come with the next process. */
  setSpec(spec: EnvSpec): void {
    this.spec = spec
    this.lanes.loop.limit = spec.concurrency
    this.lanes.thread.limit = Math.min(spec.threads.max, this.process?.threadsMax ?? Infinity)
    this.#parts.resume(this)
  }

  /** E2. A route whose loading fails is told to the dispatcher, not thrown. */
  load(route: FunctionRoute): void {
    const state = this.#state
    if (state.kind === "stopped") void this.#start()
    // A process that cannot be reached is given what waits when it comes back.
    if (state.kind === "ready" && state.process.isReachable) {
      void this.#parts.load(this, state.process, route)
    }
  }

  /** The process can be reached again. */
  cameBack(): void {
    if (this.#state.kind !== "ready") return
    this.#loadAllWaiting()
    this.#parts.resume(this)
  }

  /** The process, once it takes calls. Starts it if need be; rejects where it cannot be had. */
  async ready(): Promise<EnvLife> {
    if (this.#state.kind === "failed") this.#recover()
    while (true) {
      const state = this.#state
      switch (state.kind) {
        case "ready":
          return state.process
        case "failed":
          throw state.error
        case "stopped":
          void this.#start()
          break
        case "draining":
          if (state.isFinal) throw state.error // E4
          await this.#changed.promise
          break
        case "starting":
        case "waiting to restart":
          await this.#changed.promise
          break
        default:
          state satisfies never
      }
    }
  }

  /** A number for a function version in the process; never reused within the life of the daemon. */
  nextIndex(): number {
    return this.#nextIndex++
  }

  /** Refuses calls with `error` for good, and ends the process: at once, or by force after `graceMs`. */
  async close(error: BunhouseError, graceMs: number): Promise<void> {
    await this.#drain(error, graceMs, true)
  }

  /** Ends the process, if there is one, and starts another. Who asks while it happens gets the same one. */
  restart(): Promise<void> {
    this.#restarting ??= this.#restart().finally(() => (this.#restarting = undefined))
    return this.#restarting
  }

  async #restart(): Promise<void> {
    const message = `env ${JSON.stringify(this.name)} is being restarted`
    const error = new BunhouseError("UNAVAILABLE", message, { env: this.name, retryAfterMs: 200 })
    if (!this.#isClosed) await this.#drain(error, RESTART_GRACE_MS, false)
    if (!this.#isClosed) {
      this.#crashes.forget()
      this.#become({ kind: "stopped" })
    }
    await this.ready()
  }

  async #drain(error: BunhouseError, graceMs: number, isFinal: boolean): Promise<void> {
    const { process } = this
    if (this.#state.kind === "waiting to restart") clearTimeout(this.#state.timer)
    this.#become({ kind: "draining", error, process, isFinal })
    this.#parts.refused(this, error)
    await process?.stop(graceMs)
  }

  get #isClosed(): boolean {
    return this.#state.kind === "draining" && this.#state.isFinal
  }

  #become(state: State): void {
    this.#state = state
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers()
    resolve()
  }

  #recover(): void {
    this.#crashes.forget()
    this.#become({ kind: "stopped" })
  }

  async #start(): Promise<void> {
    let process: EnvLife
    try {
      process = this.#parts.start(this)
    } catch (cause) {
      this.#afterCrash({ how: cause instanceof Error ? cause.message : String(cause) })
      return
    }
    this.#become({ kind: "starting", process })
    this.lanes.thread.limit = process.threadsMax
    void process.exited.then((exit) => this.#ended(process, exit))
    try {
      await process.ready
    } catch {
      // Too slow or of another version: its exit is what counts.
      process.kill()
      return
    }
    if (this.#state.kind !== "starting" || this.#state.process !== process) return
    this.#become({ kind: "ready", process })
    this.#parts.log("env ready", { env: this.name, pid: process.pid })
    this.#loadAllWaiting()
  }

  #loadAllWaiting(): void {
    for (const route of this.functions.values()) {
      if (route.waiting.length > 0) this.load(route)
    }
  }

  #ended(process: EnvLife, exit: EnvExit): void {
    if (this.process !== process) return
    const drained = this.#state.kind === "draining"
    for (const route of this.functions.values()) route.index = undefined
    if (!drained) this.#afterCrash(exit)
    this.#parts.lost(this, `the env process was lost during the call (${exit.how})`)
  }

  #afterCrash(exit: EnvExit): void {
    const wait = this.#crashes.record(now())
    const reason = `the env process ended (${exit.how})`
    this.#parts.log("env process ended", { env: this.name, how: exit.how })
    if (wait === "give up") {
      const error = this.#failure(
        `is failed: its process ended ${this.#crashes.count} times in a row (${exit.how})`,
      )
      this.#become({ kind: "failed", reason, error })
      this.#parts.refused(this, error)
      return
    }
    const timer = setTimeout(() => void this.#start(), wait)
    this.#become({ kind: "waiting to restart", reason, timer })
  }

  #failure(what: string): BunhouseError {
    const log = `see \`bunhouse logs ${this.name}\``
    return new BunhouseError("ENV_FAILED", `env ${JSON.stringify(this.name)} ${what}; ${log}`, {
      env: this.name,
    })
  }
}

/** What an env needs from the daemon. */
export interface EnvParts {
  start(env: Env): EnvLife
  /** Loads what the route stands for into the ready process and tells the dispatcher. Never rejects. */
  load(env: Env, process: EnvLife, route: FunctionRoute): Promise<void>
  /** The process is gone. */
  lost(env: Env, reason: string): void
  /** Calls that wait may have a place, or a way to the process. */
  resume(env: Env): void
  refused(env: Env, error: BunhouseError): void
  log(event: string, facts: Readonly<Record<string, unknown>>): void
}

type State =
  | { readonly kind: "stopped" }
  | { readonly kind: "starting"; readonly process: EnvLife }
  | { readonly kind: "ready"; readonly process: EnvLife }
  | { readonly kind: "waiting to restart"; readonly reason: string; readonly timer: Timer }
  | { readonly kind: "failed"; readonly reason: string; readonly error: BunhouseError }
  | {
      readonly kind: "draining"
      readonly error: BunhouseError
      readonly process: EnvLife | undefined
      /** Nothing follows. */
      readonly isFinal: boolean
    }

const RESTART_GRACE_MS = 2_000
