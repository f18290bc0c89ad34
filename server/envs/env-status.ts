import { shownEnvSpec } from "../../protocol/env-spec.ts"
import type { EnvStatus } from "../../protocol/status.ts"
import { lanesOf } from "../calls/route.ts"
import type { Env } from "./env.ts"
import { toldInfo } from "./told-info.ts"

/** What a user is told about an env. */
export function envStatus(env: Env): EnvStatus {
  const { process, reason, activity } = env
  const rssBytes = process?.rssBytes
  const lanes = [...lanesOf(env)]
  const waiting = [...env.functions.values()].reduce((sum, fn) => sum + fn.waiting.length, 0)
  return {
    name: env.name,
    state: env.state,
    spec: shownEnvSpec(env.spec),
    ...(process !== undefined && {
      pid: process.pid,
      startedAt: process.startedAt.toISOString(),
      cwd: process.cwd,
    }),
    ...(rssBytes !== undefined && { rssBytes }),
    ...(reason !== undefined && { reason }),
    ...(activity !== undefined && { activity }),
    retiring: env.retiring,
    crashes: env.crashes,
    running: lanes.reduce((sum, lane) => sum + lane.running, 0),
    queued: lanes.reduce((sum, lane) => sum + lane.queue.length + lane.preparing.length, waiting),
    ownCalls: process?.served.ownCalls ?? 0,
    instances: env.instances.size,
    functions: [...env.functions.values()].map(({ info }) => toldInfo(info, env.spec)),
    loopBlocks: env.health.loopBlocks.last,
  }
}
