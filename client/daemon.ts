import type { EnvSpecInput } from "../protocol/env-spec.ts"
import { BunhouseError } from "../protocol/errors.ts"
import { type FunctionInfo, readFunctionInfo } from "../protocol/function-spec.ts"
import { type Environment } from "../protocol/home.ts"
import { paths } from "../protocol/http.ts"
import type { JobStatus } from "../protocol/job.ts"
import { DEFAULT_ENV, splitAddress } from "../protocol/names.ts"
import type { ScheduleStatus } from "../protocol/schedule.ts"
import type { DaemonStatus } from "../protocol/status.ts"
import type { AnyFunction } from "./code/kind.ts"
import type { AnyClass } from "./code/members.ts"
import type { OwnWay } from "./connection/transport.ts"
import { Env } from "./env.ts"
import { Job } from "./job.ts"
import { type JobListOptions, listJobs } from "./job-list.ts"
import { Link, rememberLink } from "./link.ts"
import { Objects } from "./objects.ts"
import { readStatus } from "./read-status.ts"
import { makeRemote, type Remote, type UntypedFunction } from "./remote.ts"
import { makeRemoteClass, type RemoteClass } from "./remote-class.ts"
import { makeRemoteModule, type RemoteModule } from "./remote-module.ts"
import { listSchedules, putSchedule, removeSchedule, type ScheduleOptions } from "./schedule.ts"
import type { ConnectOptions } from "./settings.ts"

/** A daemon, as its users see it. `here` is the one of this machine; `connect` gives any other. */
export class Daemon implements Disposable {
  /** Data that the daemon keeps, to be fetched by reference or by name. */
  readonly objects: Objects
  readonly #link: Link

  /** Made by `connect`. */
  constructor(options: ConnectOptions, environment: Environment, way?: OwnWay) {
    this.#link = new Link(options, environment, way)
    rememberLink(this, this.#link)
    this.objects = new Objects(this.#link.control)
  }

  /**
   * The env `name`, at once and without asking: a target for `.to()`. With a spec, the daemon is told the spec before
   * the first use.
   *
   * @throws {BunhouseError} INVALID_ARGUMENT for a bad name or spec.
   */
  env(name: string = DEFAULT_ENV, spec?: EnvSpecInput): Env {
    return new Env(this.#link, name, spec)
  }

  /**
   * A function that was sent earlier, by anybody: `await here.get<typeof add>("math/add")`. A name without `env/` is
   * looked for in the env `default`.
   *
   * @throws {BunhouseError} NOT_FOUND.
   */
  async get<F extends AnyFunction = UntypedFunction>(address: string): Promise<Remote<F>> {
    const info = await this.#find(address)
    if (info.kind === "class" || info.kind === "module") {
      const mend = info.kind === "class" ? "getClass" : "getModule"
      const message = `${info.env}/${info.name} is a ${info.kind}: use ${mend} instead of get`
      throw new BunhouseError("INVALID_ARGUMENT", message, { env: info.env })
    }
    return makeRemote<F>({ link: this.#link, info, local: undefined, options: {} })
  }

  /**
   * A class that was sent earlier, by anybody: `await here.getClass<typeof Counter>("env/Counter")`.
   *
   * @throws {BunhouseError} NOT_FOUND; INVALID_ARGUMENT when it is no class.
   */
  async getClass<C extends AnyClass>(address: string): Promise<RemoteClass<C>> {
    const info = await this.#find(address)
    return makeRemoteClass<C>({ link: this.#link, info, local: undefined, options: {} })
  }

  /**
   * A module that was sent earlier, by anybody: `await here.getModule<typeof import("./jobs.ts")>("env/jobs")`.
   *
   * @throws {BunhouseError} NOT_FOUND; INVALID_ARGUMENT when it is no module.
   */
  async getModule<M extends object>(address: string): Promise<RemoteModule<M>> {
    return makeRemoteModule<M>(this.#link, await this.#find(address))
  }

  /**
   * A job that was started earlier, by anybody: at once and without asking. `R` is what its function returns.
   *
   * @throws {BunhouseError} INVALID_ARGUMENT for what is no id.
   */
  job<R = unknown>(id: string): Job<R> {
    return new Job<R>(this.#link, id)
  }

  /** Jobs, newest first; `{ state: "dead" }` is the dead-letter list: durable jobs that failed for good. */
  jobs(options: JobListOptions = {}): Promise<JobStatus[]> {
    return listJobs(this.#link, options)
  }

  /**
   * Starts a job at each tick of a cron expression (five fields, or six with seconds in front), over and over: the daemon
   * keeps the schedule, and a schedule of the same name is replaced. A tick that comes while no daemon runs is not made up
   * for; one that comes while the last job still runs starts another.
   *
   * @throws {BunhouseError} INVALID_ARGUMENT for an expression that is none, NOT_FOUND when the daemon lacks the function.
   */
  schedule<F extends AnyFunction>(
    name: string,
    cron: string,
    remote: Remote<F>,
    args: Parameters<F>,
    options: ScheduleOptions = {},
  ): Promise<ScheduleStatus> {
    return putSchedule(this.#link, name, cron, remote.info, args, options)
  }

  schedules(): Promise<ScheduleStatus[]> {
    return listSchedules(this.#link)
  }

  /**
   * Ends a schedule. Jobs that it has started go on.
   *
   * @throws {BunhouseError} NOT_FOUND.
   */
  unschedule(name: string): Promise<void> {
    return removeSchedule(this.#link, name)
  }

  /** Processes, envs, functions and calls of the daemon. */
  status(): Promise<DaemonStatus> {
    return readStatus(this.#link.control)
  }

  /** Closes connections; pending calls fail, later ones open them again. A script need not call it to end. */
  close(): void {
    this.#link.close()
  }

  async #find(address: string): Promise<FunctionInfo> {
    const names = splitAddress(address)
    const path = paths.function(names.env, names.function)
    return readFunctionInfo(await this.#link.control.request("GET", path))
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
