import { now } from "../../protocol/deadlines.ts"
import { asBunhouseError, BunhouseError } from "../../protocol/errors.ts"
import type { Build } from "./builds.ts"
import { CrashHistory } from "./crash-history.ts"
import type { EnvExit, EnvLife } from "./life.ts"

/**
 * Which process serves an env, and what follows when it ends.
 *
 *     stopped ─▶ starting ─▶ ready ─▶ (exit) ─▶ waiting to restart ─▶ starting
 *                   │                    └────▶ failed   (too many crashes; leaves on restart(), a deploy or a change)
 *                   ├─ (exit, too slow) ─▶ as after ready
 *                   └─ (packages, files or setup cannot be had) ─▶ failed
 *     any ─▶ draining ─▶ stopped    (restart)
 *              └─▶ for good        (close)
 *     any but draining ─▶ ready     (another process takes over)
 *     ready ─▶ stopped              (ended for calls that could not be stopped: no crash)
 *
 * Invariants:
 * E1. At most one process serves, from its hello until its exit is noticed. Its successor gets no calls before it takes
 *     over, and who was replaced gets no new ones.
 * E2. The env is started by need: by a call or a deploy, and again after a crash as long as it is not failed.
 * E4. What was closed never starts again, whoever still holds it: a deploy, a restart, a timer, a change.
 */
export class Supervisor {
  readonly #env: string
  readonly #parts: SupervisorParts
  readonly #crashes = new CrashHistory()
  #state: State = { kind: "stopped" }
  /** Settles at the next change of state. */
  #changed = Promise.withResolvers<void>()

  constructor(env: string, parts: SupervisorParts) {
    this.#env = env
    this.#parts = parts
  }

  get state(): State["kind"] {
    return this.#state.kind
  }

  get crashes(): number {
    return this.#crashes.count
  }

  /** The process of the state, whether it takes calls or not. */
  get process(): EnvLife | undefined {
    return "process" in this.#state ? this.#state.process : undefined
  }

  /** The process that takes calls, as long as it can be reached. */
  get serving(): EnvLife | undefined {
    const state = this.#state
    return state.kind === "ready" && state.process.isReachable ? state.process : undefined
  }

  get refusal(): BunhouseError | undefined {
    return "error" in this.#state ? this.#state.error : undefined
  }

  /** Why the env is not ready, where there is something to say. */
  get reason(): string | undefined {
    return "reason" in this.#state ? this.#state.reason : undefined
  }

  get isClosed(): boolean {
    return this.#state.kind === "draining" && this.#state.isFinal
  }

  /** E2. */
  need(): void {
    if (this.#state.kind === "stopped") void this.#start()
  }

  /** The process, once it takes calls. Starts it if need be; rejects where it cannot be had. */
  async ready(): Promise<EnvLife> {
    this.recover()
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

  /** What was wrong may be mended: a failed env starts again when it is needed. */
  recover(): void {
    if (this.#state.kind !== "failed") return
    this.#crashes.forget()
    this.#become({ kind: "stopped" })
  }

  /** Another process, which is ready, takes over (E1). Returns the one that it replaces. Not legal once closed. */
  takeOver(process: EnvLife): EnvLife | undefined {
    const { process: old } = this
    if (this.#state.kind === "waiting to restart") clearTimeout(this.#state.timer)
    this.#crashes.forget()
    this.#become({ kind: "ready", process })
    this.#watch(process)
    return old
  }

  /** Ends the process, if there is one, and starts another. */
  async restart(error: BunhouseError, graceMs: number): Promise<void> {
    if (!this.isClosed) await this.#drain(error, graceMs, false)
    if (!this.isClosed) {
      this.#crashes.forget()
      this.#become({ kind: "stopped" })
    }
    await this.ready()
  }

  /** Ends the process for good (E4); calls are refused with `error`. */
  close(error: BunhouseError, graceMs: number): Promise<void> {
    return this.#drain(error, graceMs, true)
  }

  async #drain(error: BunhouseError, graceMs: number, isFinal: boolean): Promise<void> {
    const { process } = this
    if (this.#state.kind === "waiting to restart") clearTimeout(this.#state.timer)
    this.#become({ kind: "draining", error, process, isFinal })
    this.#parts.refused(error)
    await process?.stop(graceMs)
  }

  #become(state: State): void {
    this.#state = state
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers()
    resolve()
  }

  async #start(): Promise<void> {
    const preparing: State = { kind: "starting", process: undefined }
    this.#become(preparing)
    let process: EnvLife | undefined
    while (process === undefined) {
      try {
        const build = await this.#parts.prepare()
        if (this.#state !== preparing) return
        process = this.#spawn(build)
      } catch (cause) {
        if (this.#state === preparing) this.#cannotStart(cause)
        return
      }
    }
    this.#become({ kind: "starting", process })
    this.#watch(process)
    try {
      await process.ready
    } catch {
      // Too slow or of another version: its exit is what counts.
      process.kill()
      return
    }
    if (this.#state.kind !== "starting" || this.#state.process !== process) return
    this.#become({ kind: "ready", process })
    this.#parts.log("env ready", { env: this.#env, pid: process.pid })
    this.#parts.serves()
  }

  #spawn(build: Build): EnvLife | undefined {
    try {
      return this.#parts.spawn(build)
    } catch (cause) {
      throw new SpawnFailure(cause instanceof Error ? cause.message : String(cause))
    }
  }

  #watch(process: EnvLife): void {
    void process.exited.then((exit) => this.#ended(process, exit))
  }

  #ended(process: EnvLife, exit: EnvExit): void {
    const wasServing = this.process === process
    const drained = this.#state.kind === "draining"
    this.#parts.ended(process, exit, wasServing, () => {
      if (!wasServing || drained) return
      if (exit.isForced) this.#afterForcedEnd(exit.how)
      else this.#afterCrash(exit.how)
    })
  }

  /** The system may have no process today; what a process needs and cannot have would be missing again at once. */
  #cannotStart(cause: unknown): void {
    if (cause instanceof SpawnFailure) return this.#afterCrash(cause.message)
    const error = asBunhouseError(cause, `preparing env ${JSON.stringify(this.#env)}`)
    this.#parts.log("env not prepared", { env: this.#env, reason: error.message })
    this.#fail(error.message, error)
  }

  /** E2: whoever waits needs the next one at once. */
  #afterForcedEnd(how: string): void {
    this.#parts.log("env process ended", { env: this.#env, how })
    this.#become({ kind: "stopped" })
  }

  #afterCrash(how: string): void {
    const wait = this.#crashes.record(now())
    const reason = `the env process ended (${how})`
    this.#parts.log("env process ended", { env: this.#env, how })
    if (wait === "give up") {
      const message = `env ${JSON.stringify(this.#env)} is failed: its process ended ${this.#crashes.count} times in a row (${how}); see \`bunhouse logs ${this.#env}\``
      return this.#fail(reason, new BunhouseError("ENV_FAILED", message, { env: this.#env }))
    }
    const timer = setTimeout(() => void this.#start(), wait)
    this.#become({ kind: "waiting to restart", reason, timer })
  }

  #fail(reason: string, error: BunhouseError): void {
    this.#become({ kind: "failed", reason, error })
    this.#parts.refused(error)
  }
}

/** What a supervisor needs from its env. */
export interface SupervisorParts {
  /** Makes what a process needs. */
  prepare(): Promise<Build>
  /** Starts a process in what was prepared; undefined when that is out of date, and has to be prepared again. */
  spawn(build: Build): EnvLife | undefined
  /** A process takes calls now. */
  serves(): void
  /**
   * A process is gone, the one that served or another. `decide` settles what follows, which must be called before
   * anybody hears of the loss.
   */
  ended(process: EnvLife, exit: EnvExit, wasServing: boolean, decide: () => void): void
  refused(error: BunhouseError): void
  log(event: string, facts: Readonly<Record<string, unknown>>): void
}

/** Each state holds what belongs to it. */
type State =
  | { readonly kind: "stopped" }
  /** Without a process while what it needs is prepared. */
  | { readonly kind: "starting"; readonly process: EnvLife | undefined }
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

class SpawnFailure extends Error {}
