import { type EnvSpec, sameProcess } from "../../protocol/env-spec.ts"
import { BunhouseError } from "../../protocol/errors.ts"
import type { EnvState } from "../../protocol/status.ts"
import { lanesFor } from "../calls/lane.ts"
import type { EnvLink, EnvRoute, FunctionRoute } from "../calls/route.ts"
import type { Build } from "./builds.ts"
import { Health } from "./health.ts"
import type { EnvExit, EnvLife } from "./life.ts"
import type { EnvParts } from "./parts.ts"
import { Preparations } from "./preparations.ts"
import { Retired } from "./retired.ts"
import { prepareSuccessor, type Successor } from "./successor.ts"
import { Supervisor } from "./supervisor.ts"

/**
 * One env: its places, its functions, its spec, and how the spec changes. Which process serves it stands in
 * supervisor.ts, with E1, E2 and E4.
 *
 * Invariants:
 * E3. When the process that serves ends, every function is unloaded before the dispatcher hears of it, so that no call is
 *     sent on the word of the past.
 * E5. A change of the spec either happens as a whole, or leaves spec, process and functions as they were. The switch to
 *     another process is one step: a call goes to the old one or to the new one, and none is refused or lost by it.
 * E6. No process starts from a spec while another one is being written down.
 */
export class Env implements EnvRoute {
  readonly name: string
  readonly lanes: EnvRoute["lanes"]
  readonly backlog = { calls: 0, bytes: 0 }
  readonly flight = { bytes: 0 }
  readonly functions = new Map<string, FunctionRoute>()
  readonly instances: EnvRoute["instances"] = new Map()
  readonly health: Health
  spec: EnvSpec
  readonly #parts: EnvParts
  readonly #supervisor: Supervisor
  readonly #retired = new Retired()
  /** What was prepared last for the env as it is. */
  #prepared: { readonly spec: EnvSpec; readonly build: Build } | undefined
  readonly #preparations: Preparations
  #nextIndex = 0
  isChanging = false
  /** About to take over. */
  #candidate: EnvLife | undefined
  /** Settles when a spec that is being written down counts, or does not (E6). */
  #switching: Promise<void> | undefined
  #restarting: Promise<void> | undefined

  constructor(name: string, spec: EnvSpec, parts: EnvParts) {
    this.name = name
    this.spec = spec
    this.#parts = parts
    this.health = new Health(this, parts)
    this.#preparations = new Preparations(name, parts)
    this.lanes = lanesFor(this, (threads) => this.process?.served.leavesThread(threads) ?? true)
    this.#supervisor = new Supervisor(name, {
      prepare: () => this.#prepareAsIs(),
      spawn: (build) => this.#spawnAsIs(build),
      serves: () => {
        this.#loadAllWaiting()
        this.#tidy()
      },
      ended: (process, exit, wasServing, decide) => this.#ended(process, exit, wasServing, decide),
      refused: (error) => parts.refused(this, error),
      log: (event, facts) => parts.log(event, facts),
    })
  }

  get state(): EnvState {
    const { state, process } = this.#supervisor
    const isIdle = process === undefined && (state === "stopped" || state === "starting")
    return isIdle && this.activity !== undefined ? "installing" : state
  }

  /** What is being done to the env, such as "installing 3 packages". */
  get activity(): string | undefined {
    return this.#preparations.activity
  }

  get crashes(): number {
    return this.#supervisor.crashes
  }

  get link(): EnvLink | undefined {
    return this.#supervisor.serving
  }

  get process(): EnvLife | undefined {
    return this.#supervisor.process
  }

  get refusal(): BunhouseError | undefined {
    return this.#supervisor.refusal
  }

  /** Why the env is not ready, where there is something to say. */
  get reason(): string | undefined {
    return this.#supervisor.reason
  }

  /** Processes that were replaced and still finish calls. */
  get retiring(): number {
    return this.#retired.size
  }

  /** A route whose loading fails is told to the dispatcher, not thrown. */
  load(route: FunctionRoute): void {
    this.#supervisor.need()
    // A process that cannot be reached is given what waits when it comes back.
    const { serving } = this.#supervisor
    if (serving !== undefined) void this.#parts.load(this, serving, route)
  }

  /** A process can be reached again. */
  cameBack(process: EnvLife): void {
    if (this.link !== process) return
    for (const route of [...this.functions.values(), ...this.instances.values()]) route.tellIndex()
    this.#loadAllWaiting()
    this.#parts.resume(this)
  }

  /** The process, once it takes calls. Starts it if need be; rejects where it cannot be had. */
  ready(): Promise<EnvLife> {
    return this.#supervisor.ready()
  }

  /** A number for a function version in a process; never reused within the life of the daemon. */
  nextIndex(): number {
    return this.#nextIndex++
  }

  finished(link: EnvLink): void {
    this.#retired.finished(link)
    this.health.look()
  }

  get isClosed(): boolean {
    return this.#supervisor.isClosed
  }

  /** Whether another process took the place of this one. */
  wasReplaced(process: EnvLife): boolean {
    return this.#retired.knows(process)
  }

  /** Refuses calls with `error` for good, and ends the processes: at once, or by force after `graceMs`. */
  async close(error: BunhouseError, graceMs: number): Promise<void> {
    const aborted = this.abortPreparing(error)
    const others = [this.#supervisor.close(error, graceMs), this.#retired.stop(graceMs), aborted]
    await this.#candidate?.stop(graceMs)
    for (const other of others) await other
  }

  /** Ends the process, if there is one, and starts another. Who asks while it happens gets the same one. */
  restart(): Promise<void> {
    this.#restarting ??= this.#restart().finally(() => (this.#restarting = undefined))
    return this.#restarting
  }

  /** Ends preparations that are under way, which reject with `error`. Settles when they are gone; never rejects. */
  abortPreparing(error: BunhouseError): Promise<void> {
    return this.#preparations.abort(error)
  }

  /**
   * Makes `spec` the env's own (E5). What needs another process starts one beside the present one; once it is ready, and
   * `commit` has written the spec down, new calls go there, and the old one finishes what it has. One at a time. `worn`
   * is a process that is not to go on, whatever the spec says.
   *
   * @throws {BunhouseError} what preparing, starting, loading or `commit` said.
   */
  async change(spec: EnvSpec, commit: () => Promise<void>, worn?: EnvLife): Promise<void> {
    this.isChanging = true
    const switched = Promise.withResolvers<void>()
    let successor: Successor | undefined
    try {
      const build = await this.#preparations.run(spec)
      while (true) {
        // A restart ends the process that would be replaced.
        await this.#restarting?.catch(() => {})
        if (this.refusal !== undefined && this.isClosed) throw this.refusal // E4
        if (successor !== undefined || this.#canServe(spec, worn)) break
        successor = await this.#succeed(spec, build)
      }
      this.#switching = switched.promise
      await commit()
      this.#prepared = { spec, build }
      this.#adopt(spec, successor)
    } catch (error) {
      successor?.process.kill()
      throw error
    } finally {
      this.isChanging = false
      this.#candidate = undefined
      this.#switching = undefined
      switched.resolve()
      this.#tidy()
    }
  }

  async #prepareAsIs(): Promise<Build> {
    await this.#switching
    const { spec } = this
    const build = await this.#preparations.run(spec)
    this.#prepared = { spec, build }
    return build
  }

  #spawnAsIs(build: Build): EnvLife | undefined {
    if (this.#switching !== undefined || this.#prepared?.spec !== this.spec) return undefined // E6
    return this.#limited(this.#parts.start(this, this.spec, build))
  }

  #succeed(spec: EnvSpec, build: Build): Promise<Successor> {
    const start = () => (this.#candidate = this.#parts.start(this, spec, build))
    return prepareSuccessor(this, start, (process, info) => {
      return this.#parts.loadVersion(this, process, info)
    })
  }

  /** Whether the present process, if there is one, can serve `spec` as well. */
  #canServe(spec: EnvSpec, worn: EnvLife | undefined): boolean {
    if (this.process === undefined) return true
    if (this.process === worn || this.process.threadsMax < spec.threads.max) return false
    return sameProcess(this.spec, spec)
  }

  /** E5: the switch, in one step. Calls that occupy places keep them, whichever process has them. */
  #adopt(spec: EnvSpec, successor: Successor | undefined): void {
    this.spec = spec
    this.lanes.loop.limit = spec.concurrency
    this.lanes.thread.limit = spec.threads.max
    // Closed while the spec was written down: it counts, and nothing follows (E4).
    if (this.isClosed) return successor?.process.kill()
    if (successor === undefined) {
      this.#supervisor.recover()
      if (this.process !== undefined) this.#limited(this.process)
    } else {
      this.#switch(successor)
    }
    this.#parts.resume(this)
  }

  #switch({ process, loaded }: Successor): void {
    // What instances hold stays in the old process.
    this.#parts.instancesLost(this, "its env was changed, and has another process")
    const old = this.#supervisor.takeOver(this.#limited(process))
    for (const route of this.functions.values()) route.index = undefined
    for (const [route, { info, index }] of loaded) {
      // One that was deleted or deployed anew meanwhile is loaded when it is called.
      if (this.functions.get(info.name) === route && route.info === info) {
        this.#parts.loaded(route, index)
      }
    }
    if (old !== undefined) this.#retired.add(old)
    this.#parts.log("env switched", { env: this.name, pid: process.pid, old: old?.pid })
    this.#loadAllWaiting()
  }

  #limited(process: EnvLife): EnvLife {
    this.lanes.thread.limit = Math.min(this.spec.threads.max, process.threadsMax)
    process.served.limitThreads(this.lanes.thread.limit)
    process.limitMemory(this.spec.memoryMiB)
    return process
  }

  async #restart(): Promise<void> {
    if (this.#switching !== undefined) await this.#switching
    const message = `env ${JSON.stringify(this.name)} is being restarted`
    const error = new BunhouseError("UNAVAILABLE", message, { env: this.name, retryAfterMs: 200 })
    await this.#supervisor.restart(error, RESTART_GRACE_MS)
  }

  #loadAllWaiting(): void {
    for (const route of this.functions.values()) if (route.waiting.length > 0) this.load(route)
  }

  #ended(process: EnvLife, exit: EnvExit, wasServing: boolean, decide: () => void): void {
    if (wasServing) for (const route of this.functions.values()) route.index = undefined // E3
    decide()
    const reason = `the env process was lost during the call (${exit.how})`
    this.#parts.lost(process, reason)
    if (wasServing) this.#parts.unloaded(this, reason)
    if (this.#retired.delete(process)) this.#tidy()
  }

  #tidy(): void {
    void this.#parts.tidy(this.name, () => {
      // What is being prepared belongs to nobody yet; what the env would start in has to be known.
      if (this.isChanging || this.isClosed) return undefined
      if (this.#prepared?.spec !== this.spec) return undefined
      const processes = [...this.#retired, ...(this.process === undefined ? [] : [this.process])]
      return new Set([this.#prepared.build.folder, ...processes.map(({ folder }) => folder)])
    })
  }
}

const RESTART_GRACE_MS = 2_000
