import type { EnvParts } from "../../server/envs/parts.ts"
import type { Dispatcher } from "../../server/calls/dispatcher.ts"
import type { Loader } from "../../server/envs/loader.ts"

/** What ties envs to a dispatcher and a loader, as the daemon does it, with nothing prepared on the disk. */
export function partsOf(
  dispatcher: Dispatcher,
  loader: Loader,
  own: Pick<EnvParts, "start"> & Partial<EnvParts>,
): EnvParts {
  return {
    prepare: () => Promise.resolve({ folder: "/nowhere", cwd: "/nowhere" }),
    tidy: () => Promise.resolve(),
    loadVersion: (env, process, info) => loader.load(env, process, info),
    load: (env, process, route) => loader.loadWaiting(env, process, route),
    loaded: (route, index) => dispatcher.loaded(route, index),
    lost: (process, reason) => dispatcher.linkLost(process, "WORKER_LOST", reason),
    unloaded: (env, reason) => dispatcher.unloaded(env, reason),
    instancesLost: (env, reason) => {
      for (const instance of env.instances.values()) dispatcher.lost(instance, reason)
    },
    refused: (env, error) => dispatcher.envRefused(env, error),
    resume: (env) => dispatcher.resume(env),
    replace: () => Promise.resolve(),
    log: () => {},
    ...own,
  }
}
