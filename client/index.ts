/**
 * Everything public. What is not listed here may change without notice.
 *
 *     import { fn, here } from "bunhouse"
 */
import { provideHere, wayInside } from "./context.ts"
import { Daemon } from "./daemon.ts"
import { linkOf } from "./link.ts"
import { checkKnown } from "./known-options.ts"
import { setQuiet, wantsQuiet } from "./notices.ts"
import type { ConnectOptions } from "./settings.ts"

export { BunhouseError, type ErrorCode, type Ran } from "../protocol/errors.ts"
export type { EnvSpecInput, ShownEnvSpec } from "../protocol/env-spec.ts"
export type { EnvVar } from "../protocol/env-vars.ts"
export type { FunctionInfo, FunctionKind, Place } from "../protocol/function-spec.ts"
export type { ObjectInfo, ObjectRef } from "../protocol/object.ts"
export type { BrokerStatus, DaemonStatus, EnvState, EnvStatus } from "../protocol/status.ts"
export { cls, type ClsOptions, type SendableClass } from "./cls.ts"
export type { AnyFunction } from "./code/kind.ts"
export type { AnyClass } from "./code/members.ts"
export { type CallContext, context } from "./context.ts"
export { type Daemon } from "./daemon.ts"
export { type Env } from "./env.ts"
export type { JobFilter, JobOptions, JobState, JobStatus } from "../protocol/job.ts"
export type { Progress } from "../protocol/progress.ts"
export type { ScheduleStatus } from "../protocol/schedule.ts"
export type { Job, ResultOptions } from "./job.ts"
export type { JobListOptions } from "./job-list.ts"
export type { JobLogsOptions } from "./job-logs.ts"
export type { ScheduleOptions } from "./schedule.ts"
export { fn, type FnOptions, type Sendable, type Target } from "./fn.ts"
export type { LogLine } from "./logs.ts"
export type { MapOptions, MapProgress, MapRun } from "./map.ts"
export type { InstanceHandle, InstanceInfo, RemoteInstance } from "./instance.ts"
export { module, type ModuleOptions, type SendableModule } from "./module.ts"
export type { ObjectContent, Objects, PutObjectOptions } from "./objects.ts"
export type { RemoteInfo } from "./outcome.ts"
export { progressBar } from "./progress-bar.ts"
export type {
  CallOptions,
  Remote,
  RemoteMethods,
  StreamOptions,
  UntypedFunction,
} from "./remote.ts"
export type { RetryOptions } from "./retry.ts"
export type { RemoteClass, RemoteStatics, StaticsHandle } from "./remote-class.ts"
export type { RemoteModule } from "./remote-module.ts"
export type { ConnectOptions } from "./settings.ts"

setQuiet(wantsQuiet(process.env))

/** The daemon on this machine; inside of a remote function, the one that runs it. */
export const here: Daemon = new Daemon({}, process.env, wayInside())
provideHere(here, linkOf(here))

/** Any daemon, by address and token; options that are left out are found as for `here`. */
export function connect(options: ConnectOptions = {}): Daemon {
  checkKnown("connect()", options, { url: true, token: true, blocking: true, onLog: true })
  return new Daemon(options, process.env)
}
