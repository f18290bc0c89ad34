import type { Env } from "./env.ts"
import type { EnvLife } from "./life.ts"

/**
 * Loads something into the process that serves `env`, which is started if need be: once more where that process was
 * replaced meanwhile, which is no fault of the code. Where the env was closed, that says more than that its process ended.
 */
export async function loadIntoServing<T>(
  env: Env,
  load: (process: EnvLife) => Promise<T>,
): Promise<{ readonly process: EnvLife; readonly loaded: T }> {
  while (true) {
    const process = await env.ready()
    try {
      const loaded = await load(process)
      if (!env.wasReplaced(process)) return { process, loaded }
    } catch (error) {
      if (!env.wasReplaced(process)) throw (env.isClosed ? env.refusal : undefined) ?? error
    }
  }
}
