import type { EnvStatus } from "../../protocol/status.ts"
import type { Env } from "./env.ts"

/** What a user is told about an env. */
export function envStatus(env: Env): EnvStatus {
  const { loop, thread } = env.lanes
  const { process, reason } = env
  const waiting = [...env.functions.values()].reduce((sum, fn) => sum + fn.waiting.length, 0)
  return {
    name: env.name,
    state: env.state,
    spec: env.spec,
    ...(process !== undefined && {
      pid: process.pid,
      startedAt: process.startedAt.toISOString(),
    }),
    ...(reason !== undefined && { reason }),
    crashes: env.crashes,
    running: loop.running + thread.running,
    queued: loop.queue.length + thread.queue.length + waiting,
    functions: [...env.functions.values()].map((route) => route.info),
  }
}
