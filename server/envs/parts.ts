import type { EnvSpec } from "../../protocol/env-spec.ts"
import type { BunhouseError } from "../../protocol/errors.ts"
import type { FunctionInfo } from "../../protocol/function-spec.ts"
import type { FunctionRoute } from "../calls/route.ts"
import type { Build, Preparation } from "./builds.ts"
import type { Env } from "./env.ts"
import type { EnvLife } from "./life.ts"

/** What an env needs from the daemon. */
export interface EnvParts {
  /** Makes what a process of the spec needs on the disk. */
  prepare(preparation: Preparation): Promise<Build>
  /** Removes builds that are not in use. Never rejects. */
  tidy(env: string, inUse: () => ReadonlySet<string> | undefined): Promise<void>
  /** Throws when the process cannot be started. */
  start(env: Env, spec: EnvSpec, build: Build): EnvLife
  /** Loads a version into a process; settles with its number there, rejects with what is wrong with the code. */
  loadVersion(env: Env, process: EnvLife, info: FunctionInfo): Promise<number>
  /** Loads what the route stands for into the ready process and tells the dispatcher. Never rejects. */
  load(env: Env, process: EnvLife, route: FunctionRoute): Promise<void>
  /** The function can be called in the process that serves now. */
  loaded(route: FunctionRoute, index: number): void
  /** The process is gone. */
  lost(process: EnvLife, reason: string): void
  /** No process serves: nothing is loaded any more. */
  unloaded(env: Env, reason: string): void
  /** Instances of classes are gone; all else of the env is there. */
  instancesLost(env: Env, reason: string): void
  /** Calls that wait may have a place, or a way to the process. */
  resume(env: Env): void
  /** Replaces the worn process of the env by a fresh one, without losing a call. Never rejects. */
  replace(env: Env, worn: EnvLife): Promise<void>
  refused(env: Env, error: BunhouseError): void
  log(event: string, facts: Readonly<Record<string, unknown>>): void
}
